/** Returns the `code` of an error (`ENOENT`); "" for other values. */
export function systemCode(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}
