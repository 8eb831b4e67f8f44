/**
 * Returns the URL of a built program or thread. Tests run from TypeScript, which Node 20 cannot start: then the file
 * in dist/ is used.
 *
 * @param name of the JavaScript file, relative to the caller
 */
export function builtFile(name: string, caller: string): URL {
  const beside = new URL(name, caller);
  if (!caller.endsWith(".ts")) return beside;
  const root = new URL("..", import.meta.url);
  return new URL(`dist/${beside.href.slice(root.href.length)}`, root);
}
