import { endTasks } from "../../examples/quickstart/server.ts";
import type { TestService } from "../support/service.ts";

/** Stops a service and kills the tasks that a test has left, since running tasks outlive their server. */
export async function dispose(service: TestService): Promise<void> {
  try {
    await endTasks(service.url);
  } finally {
    await service[Symbol.asyncDispose]();
  }
}
