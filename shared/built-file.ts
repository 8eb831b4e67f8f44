/**
 * The built form of a program or thread, for whoever starts it: Node 20 runs no TypeScript but for tests, which run the caller
 * from its source. Its code then comes from dist/.
 *
 * @param name of the JavaScript file, relative to the caller
 * @param caller its `import.meta.url`
 */
export function builtFile(name: string, caller: string): URL {
  const beside = new URL(name, caller);
  if (!caller.endsWith(".ts")) return beside;
  const root = new URL("..", import.meta.url);
  return new URL(`dist/${beside.href.slice(root.href.length)}`, root);
}
