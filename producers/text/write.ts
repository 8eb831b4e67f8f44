import { once } from "node:events";
import type { Writable } from "node:stream";

/**
 * Writes text and waits until there is room for more, so that memory stays flat however slow the reader is.
 *
 * @throws the stream's error, also one that came before
 */
export async function write(stream: Writable, text: string): Promise<void> {
  if (stream.errored) throw stream.errored;
  if (text === "" || stream.write(text)) return;
  await once(stream, "drain");
}

/** Waits until the stream has taken everything. Returns why it has not. */
export async function writeFailure(stream: Writable): Promise<Error | undefined> {
  if (stream.errored) return stream.errored;
  return await new Promise((resolve) => {
    stream.write("", (error) => resolve(error ?? undefined));
  });
}
