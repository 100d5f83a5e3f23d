import { START_NAMES } from "../../src/task/start-names.ts";
import { markdownTable } from "./markdown-table.ts";

/** Returns docs/refused-names.md: the names of environment variables that callers can never set. */
export function refusedNames(): string {
  const rows = START_NAMES.map(({ names, except, anyCase, changes }) => [
    [
      names.split(" ").map(code).join(" "),
      except ? `except ${except.split(" ").map(code).join(" ")}` : "",
      anyCase ? "in any case" : "",
    ]
      .filter(Boolean)
      .join(", "),
    changes,
  ]);
  return `# Names that callers cannot set

Some environment variables change how a program starts: what the loader loads, which file a shell or an interpreter runs
first, which programs git, ssh, Ansible and Terraform call. A caller of RunTask who sets one runs programs of their choice, so
these names are refused in \`env\` and \`secret_variables\`, and for \`make\` in \`variables\`, whatever the template allows
(reason NAME_REFUSED). The operator's settings, environments and templates can set them. \`*\` stands for any ending.

${markdownTable(["names", "change"], rows)}
Callers also cannot set, unless the survey of the template asks for it:

- variables of Ansible that begin with \`ansible_\`, since they decide how Ansible connects, and those that Ansible sets itself,
  such as \`inventory_hostname\`;
- variables from which the built-in rules of make form commands (\`CC\`, \`CFLAGS\`, \`RM\`, …) and those that configure make
  itself (\`SHELL\`, \`MAKE…\`, \`VPATH\`).

Names of variables for shell-like apps and make consist of letters, digits and \`_\`, no digit first: each becomes an argument
\`NAME=VALUE\`, and a name such as \`--rcfile\` would be an option.

The list holds what starts and loads programs. It does not hold settings of cloud clients, proxies and applications:
\`allowOverrideEnv: ["*"]\` lets callers set those too, so name what callers need instead.
`;
}

const code = (name: string) => `\`${name}\``;
