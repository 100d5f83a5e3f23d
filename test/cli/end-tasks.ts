import { endTasks } from "../../examples/quickstart/server.ts";
import type { TestService } from "../support/service.ts";

/** Takes a service down with the tasks that a test has left: they would outlive it, as they should. */
export async function dispose(service: TestService): Promise<void> {
  try {
    await endTasks(service.url);
  } finally {
    await service[Symbol.asyncDispose]();
  }
}
