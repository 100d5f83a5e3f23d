/**
 * What the processes of a task carry as SIGNALMAN_TASK. Two servers on one machine may have had the same task, one
 * after the other: each finds and kills its own processes only.
 */
export function markerOf(taskId: string, node: string): string {
  return `${taskId}.${node}`;
}
