/** Returns Chromium's path, or undefined. */
export function findChromium(): string | undefined;
