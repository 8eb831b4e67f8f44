import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Delivery {
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/**
 * Runs `body` with a receiver.
 *
 * @param answer returns the status for the nth request, or undefined for none at all; default: 500 for the first
 */
export async function withReceiver(
  body: (url: string, got: Delivery[]) => Promise<void>,
  answer = (nth: number): number | undefined => (nth === 1 ? 500 : 204),
): Promise<void> {
  const got: Delivery[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on("end", () => {
      got.push({ headers: request.headers, body: text });
      const status = answer(got.length);
      if (status !== undefined) response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=in-the-url`, got);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
