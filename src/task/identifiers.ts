/** True for a name that is valid for a variable in every shell and language. */
export const isIdentifier = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);

/** The rule of `isIdentifier` in words, for errors. */
export const IDENTIFIER_WORDS = "letters, digits and _, no digit first";
