import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { builtFile } from "../../../shared/process.ts";

/** The bundled page. */
const pageFiles = builtFile("producers/server/page/");

/** Paths of the page: its script decides what each of them shows. */
const pagePaths = ["/", "/search", "/request"].concat(
  ["/areas", "/jobs", "/hosts", "/schedules"].flatMap((path) => [path, `${path}/*`]),
);

/**
 * Serves the page at all its paths, with its files, whose paths are relative to the base; nothing comes from other
 * sites. The build has compressed the files.
 */
export async function addPage(app: FastifyInstance, basePath: string): Promise<void> {
  const base = `<base href="${basePath}/" />`;
  const page = readFileSync(new URL("page.html", pageFiles), "utf8").replace("<!-- base -->", base);
  for (const path of pagePaths)
    app.get(path, { schema: { hide: true } }, async (_request, reply) => reply.type("text/html").send(page));
  await app.register(fastifyStatic, {
    decorateReply: false,
    index: false,
    schemaHide: true,
    preCompressed: true,
    root: fileURLToPath(pageFiles),
    prefix: "/static/page/",
    allowedPath: (path) => /\.(?:js|css)$/.test(path),
  });
}
