/** Returns the path of a program on the PATH, or undefined. */
export function which(name: string): string | undefined;
