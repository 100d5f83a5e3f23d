import type { Hook } from "../hooks.ts";
import { ansibleHook } from "./ansible.ts";
import { shellHook } from "./shell.ts";
import { terraformHook } from "./terraform.ts";

/** In this order before a task; in reverse after it. */
export const HOOKS: readonly Hook[] = [ansibleHook, shellHook, terraformHook];
