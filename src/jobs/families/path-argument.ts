/** Returns a relative path as an argument that no program reads as an option: `./` precedes a leading `-`. */
export const pathArgument = (path: string): string => (path.startsWith("-") ? `./${path}` : path);
