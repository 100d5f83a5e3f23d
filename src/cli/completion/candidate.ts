/** Completion of the word that a person is typing. */
export interface Candidate {
  text: string;
  /** Description, which zsh and fish show beside it. */
  hint?: string;
}
