import type { Writable } from "node:stream";

/** Writes text and waits until there is room for more, so that memory stays flat however slow the reader is. */
export async function write(stream: Writable, text: string): Promise<void> {
  if (text === "" || stream.write(text)) return;
  await new Promise<void>((resolve) => {
    stream.once("drain", resolve);
  });
}
