import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { builtFile } from "../../../shared/process.ts";

/** The bundled page. */
const pageFiles = builtFile("producers/server/page/");

/** Serves the overview page at `/` with its files, whose paths are relative; nothing comes from other sites. */
export async function addOverview(app: FastifyInstance, basePath: string): Promise<void> {
  const base = `<base href="${basePath}/" />`;
  const page = readFileSync(new URL("overview.html", pageFiles), "utf8").replace("<!-- base -->", base);
  app.get("/", { schema: { hide: true } }, async (_request, reply) => reply.type("text/html").send(page));
  await app.register(fastifyStatic, {
    decorateReply: false,
    index: false,
    schemaHide: true,
    root: fileURLToPath(pageFiles),
    prefix: "/static/page/",
    allowedPath: (path) => /\.(?:js|css)$/.test(path),
  });
}
