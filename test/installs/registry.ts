import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";

/**
 * Serves one package as a registry does, and redirects requests for others to the real registry. npm reads the
 * npm-shrinkwrap.json of a package only if a registry announces it.
 */
export async function withRegistry(
  { tarball, manifest, real }: { tarball: string; manifest: { name: string; version: string }; real: string },
  body: (url: string) => Promise<void>,
): Promise<void> {
  const packed = readFileSync(tarball);
  const { name, version } = manifest;
  const server = createServer((request, response) => {
    const url = `http://${request.headers.host}`;
    if (request.url === `/${basename(tarball)}`) return void response.end(packed);
    if (request.url !== `/${name}`) {
      return void response.writeHead(307, { location: new URL(request.url ?? "", real).href }).end();
    }
    const dist = {
      tarball: `${url}/${basename(tarball)}`,
      integrity: `sha512-${createHash("sha512").update(packed).digest("base64")}`,
    };
    const versions = { [version]: { ...manifest, dist, _hasShrinkwrap: true } };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ name, "dist-tags": { latest: version }, versions }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
