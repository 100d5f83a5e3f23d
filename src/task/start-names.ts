/** Names of environment variables that change how a program starts. */
export interface StartNames {
  /** Separated by spaces. A name that ends in `*` stands for all names with that beginning. */
  names: string;
  /** Effect of the names, as the end of the sentence "changes …". */
  changes: string;
  /** The programs that read the names ignore case. */
  anyCase?: true;
  /** Names covered by a `*` of `names` that callers may set nevertheless. */
  except?: string;
}

/**
 * Names that callers of RunTask can never set, since they decide what a loader loads, which file a shell or an interpreter
 * runs first, or which programs git, ssh, Ansible and Terraform call. Operators, environments and templates can set them.
 * `docs/refused-names.md` is generated from this table.
 *
 * Case counts, as it does for the system and for the programs, except in rows with `anyCase`. Sources: sudo's lists
 * env_delete and env_check, glibc's unsecvars.h, and the manuals of the programs.
 */
export const START_NAMES: readonly StartNames[] = [
  {
    names: "PATH HOME TMPDIR PWD OLDPWD XDG_*",
    changes: "where programs and their settings are found; the server sets it for each task",
  },
  {
    names: "LD_* LDR_* DYLD_* _RLD* LIBPATH SHLIB_PATH LTDL_LIBRARY_PATH MUSL_*",
    changes: "which libraries the loader loads into every program",
  },
  {
    names:
      "GCONV_PATH GETCONF_DIR GLIBC_TUNABLES HOSTALIASES LANGUAGE LIBC_FATAL_STDERR_ LOCALDOMAIN LOCPATH MALLOC_* NIS_PATH NLSPATH PATH_LOCALE RESOLV_HOST_CONF RES_OPTIONS TEXTDOMAIN* TZDIR",
    changes: "which modules, messages and hosts the C library uses in every program",
  },
  {
    names: "ASAN_* LSAN_* MSAN_* TSAN_* UBSAN_* LLVM_PROFILE_FILE GCOV_*",
    changes: "which files instrumented programs load and write",
  },
  {
    names: "_RJEM_* JE_MALLOC_* TCMALLOC_* HEAPPROFILE CPUPROFILE",
    changes: "which files memory allocators write",
  },
  {
    names: "TERMINFO TERMINFO_DIRS TERMCAP TERMPATH",
    changes: "which terminal descriptions programs load",
  },
  {
    names:
      "BASH_* BASHOPTS SHELLOPTS ENV IFS PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND CDPATH GLOBIGNORE EXECIGNORE HISTFILE INPUTRC POSIXLY_CORRECT POSIX_PEDANTIC SHELL FPATH ZDOTDIR MODULE_PATH NULLCMD READNULLCMD STTY TMPPREFIX ZSH_* fish_* __fish_*",
    changes: "what a shell runs before the script, or how it reads the script",
  },
  {
    names: "PYTHON* __PYVENV_LAUNCHER__ PYENV_* PYTEST_* COVERAGE_PROCESS_* VIRTUALENV_*",
    changes: "what Python loads and runs before the program",
  },
  {
    names: "PIP_* PIPX_* PIPENV_* UV_* POETRY_* CONDA_*",
    changes: "what Python's package managers install and run",
  },
  {
    names: "NODE_*",
    except: "NODE_ENV",
    changes: "what Node loads and runs before the program",
  },
  {
    names: "ELECTRON_* DENO_* BUN_* TS_NODE_*",
    changes: "what JavaScript runtimes load and run before the program",
  },
  {
    names: "npm_* pnpm_* yarn_*",
    anyCase: true,
    changes: "what npm, pnpm and yarn install and run",
  },
  {
    names: "COREPACK_* NVM_*",
    changes: "which Node and package manager run",
  },
  {
    names: "PERL*",
    changes: "what Perl loads and runs before the program",
  },
  {
    names: "RUBY* RBENV_* GEM_* BUNDLE_* BUNDLER_* IRBRC",
    changes: "what Ruby loads and runs before the program",
  },
  {
    names: "PHPRC PHP_* COMPOSER_*",
    changes: "what PHP loads and runs before the program",
  },
  {
    names: "LUA_*",
    changes: "what Lua loads and runs before the program",
  },
  {
    names:
      "R_HOME R_LIBS* R_PROFILE* R_ENVIRON* R_DEFAULT_PACKAGES JULIA_* OCTAVE_* GUILE_* TCLLIBPATH TCL_LIBRARY",
    changes: "what R, Julia, Octave, Guile and Tcl load and run before the program",
  },
  {
    names: "ERL_* ELIXIR_* MIX_* AWKPATH AWKLIBPATH GAWK_*",
    except: "MIX_ENV",
    changes: "what Erlang, Elixir and awk load and run before the program",
  },
  {
    names:
      "JAVA_* _JAVA_* JDK_* JRE_HOME CLASSPATH IBM_JAVA_OPTIONS OPENJ9_JAVA_OPTIONS MAVEN_* GRADLE_* ANT_* SBT_* GROOVY_*",
    changes: "what a Java machine loads and runs before the program",
  },
  {
    names:
      "DOTNET_* COMPlus_* CORECLR_* COR_* ASPNETCORE_HOSTINGSTARTUP* NUGET_* MSBUILD* PSModulePath PSModuleAnalysisCachePath __PSLockdownPolicy POWERSHELL_*",
    anyCase: true,
    changes: "what .NET and PowerShell load and run before the program",
  },
  {
    names:
      "GOFLAGS GOENV GOROOT GOPATH GOBIN GOPROXY GOSUMDB GONOSUMDB GOINSECURE GOTOOLCHAIN GOTOOLDIR GOWORK GODEBUG GOVCS GCCGO CGO_*",
    changes: "which tools Go runs, and what it loads",
  },
  {
    names: "CARGO_* RUSTC* RUSTDOC* RUSTFLAGS RUSTUP_*",
    changes: "which tools Rust runs",
  },
  {
    names: "GCC_EXEC_PREFIX COMPILER_PATH CONFIG_SITE CONFIG_SHELL CMAKE_* PKG_CONFIG*",
    changes: "which programs compilers and configure scripts run",
  },
  {
    names: "MAKE MAKEFLAGS MAKEFILES MAKEOVERRIDES MAKESHELL GNUMAKEFLAGS MFLAGS",
    changes: "what make runs besides the makefile",
  },
  {
    names: "GIT_* GCM_*",
    changes: "which programs, repositories and settings git uses",
  },
  {
    names: "HGRCPATH HGEDITOR HGMERGE HGPLAIN* SVN_* CVS_RSH RSYNC_*",
    changes: "which programs and settings Mercurial, Subversion, CVS and rsync use",
  },
  {
    names: "SSH_* SSHPASS AUTOSSH_* KRB5* GSS_* GNUPGHOME PKCS11_*",
    changes: "which programs, keys and settings ssh, Kerberos and GnuPG use",
  },
  {
    names: "OPENSSL_* SSL_CERT_* SSLKEYLOGFILE GNUTLS_* CURL_* REQUESTS_CA_BUNDLE WGETRC SYSTEM_WGETRC NETRC",
    changes: "which modules TLS loads, whom it trusts, and which settings curl and wget read",
  },
  {
    names: "ANSIBLE_* MITOGEN_*",
    changes: "how Ansible starts and connects",
  },
  {
    names: "TF_* TG_* TERRAGRUNT_* TERRAFORM_* TOFU_* OPENTOFU_* TFENV_* TOFUENV_* TENV_*",
    changes: "how Terraform, OpenTofu and Terragrunt start",
  },
  {
    names:
      "EDITOR VISUAL FCEDIT PAGER MANPAGER BROWSER LESS LESSOPEN LESSCLOSE LESSKEY* LESSHISTFILE SYSTEMD_* SUDO_* VIM* EXINIT NVIM_* EMACS* KUBE_EDITOR PSQLRC PSQL_*",
    changes: "which editor, pager or browser programs call, and what it runs",
  },
  {
    names:
      "TAR_OPTIONS TAPE RSH ZIPOPT UNZIPOPT UNZIP ZIP GREP_OPTIONS PARALLEL* DIRENV_* ASDF_* MISE_* NIX_* VALGRIND_*",
    changes: "the options of command line tools, some of which run programs",
  },
];

const MATCHERS = START_NAMES.map(({ names, except = "", anyCase, changes }) => {
  const pattern = new RegExp(`^(?:${names.split(" ").map(sourceOf).join("|")})$`, anyCase ? "i" : "");
  const exceptions = except.split(" ");
  return { changes, matches: (name: string) => pattern.test(name) && !exceptions.includes(name) };
});

/** Returns what the environment variable of this name changes at the start of programs; undefined: nothing. */
export function startEffect(name: string): string | undefined {
  return MATCHERS.find(({ matches }) => matches(name))?.changes;
}

/** Names consist of letters, digits and `_`, which mean themselves in a regular expression. */
function sourceOf(name: string): string {
  return name.endsWith("*") ? `${name.slice(0, -1)}.*` : name;
}
