/** A relative path as an argument: no program takes it for an option. */
export const pathArgument = (path: string): string => (path.startsWith("-") ? `./${path}` : path);
