import { readFileSync } from "node:fs";
import { createServer, get as getPlain } from "node:http";
import { get } from "node:https";
import type { AddressInfo } from "node:net";
import { output } from "./engine.ts";

export interface Mirror {
  url: string;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
  close(): void;
}

/** Starts an npm mirror on loopback that passes each request on to the registry of this machine's npm. */
export async function startMirror(): Promise<Mirror> {
  const registry = await output("npm", ["config", "get", "registry"]);
  const cafile = await output("npm", ["config", "get", "cafile"]);
  const ca = cafile === "null" || cafile === "" ? {} : { ca: readFileSync(cafile) };
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    asked.push(path);
    const { accept = "*/*" } = request.headers;
    const url = new URL(path.replace(/^\//, ""), registry);
    const passedOn = (url.protocol === "https:" ? get : getPlain)(
      url,
      { headers: { accept }, ...ca },
      (answer) => {
        const type = answer.headers["content-type"] ?? "application/octet-stream";
        response.writeHead(answer.statusCode ?? 502, { "content-type": type });
        answer.pipe(response);
      },
    );
    passedOn.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
