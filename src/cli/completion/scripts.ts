const BASH = `# Completion of signalman for bash: source <(signalman completion bash)
_signalman() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = :files ]; then
      compopt -o default 2>/dev/null
      return
    fi
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("$1" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  # No blank after a name that ends with a slash: more is typed.
  if [ "\${#COMPREPLY[@]}" -eq 1 ] && [[ "\${COMPREPLY[0]}" == */ ]]; then
    compopt -o nospace 2>/dev/null
  fi
}
complete -F _signalman signalman
`;

const ZSH = `#compdef signalman
# Completion of signalman for zsh: source <(signalman completion zsh)
_signalman() {
  local line
  local -a whole wholeText open openText
  for line in "\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] || continue
    if [[ $line == :files ]]; then
      _files
      return
    fi
    # No blank after a name that ends with a slash: more is typed.
    if [[ \${line%%$'\\t'*} == */ ]]; then
      open+=("\${line%%$'\\t'*}")
      openText+=("\${line/$'\\t'/  -- }")
    else
      whole+=("\${line%%$'\\t'*}")
      wholeText+=("\${line/$'\\t'/  -- }")
    fi
  done
  (( $#whole )) && compadd -l -d wholeText -a whole
  (( $#open )) && compadd -l -S '' -d openText -a open
}
if [[ \${funcstack[1]} == _signalman ]]; then
  _signalman "$@"
else
  compdef _signalman signalman
fi
`;

const FISH = `# Completion of signalman for fish: signalman completion fish | source
function __signalman_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
    if test "$lines[1]" = :files
        __fish_complete_path "$current"
    else
        printf '%s\\n' $lines
    end
end
complete -c signalman -f -a '(__signalman_complete)'
`;

/** Completion script for a shell. It calls `signalman __complete -- WORDS`; the last word is the one to complete. */
export function scriptFor(shell: string): string {
  return { bash: BASH, zsh: ZSH, fish: FISH }[shell] ?? "";
}
