/**
 * Returns the value of SIGNALMAN_TASK in the environment of a task's processes. It names the node too: two nodes on one
 * machine may have run the same task one after the other, and each must find and kill only the processes that it started.
 */
export function markerOf(taskId: string, node: string): string {
  return `${taskId}.${node}`;
}
