/** The `code` of an error that Node's file system or process calls threw (`ENOENT`); "" for anything else. */
export function systemCode(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}
