/** Where keys are installed, and for which task. */
export interface Place {
  /** The task's private folder: exists, 0700. */
  folder: string;
  /** What every process of the task carries. */
  marker: string;
  /** PATH, to find ssh-agent and ssh-add by. */
  path: string;
}
