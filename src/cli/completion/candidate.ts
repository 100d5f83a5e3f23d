/** What may stand where a person is typing. */
export interface Candidate {
  text: string;
  /** For people. */
  hint?: string;
}
