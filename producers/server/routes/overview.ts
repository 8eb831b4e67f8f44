import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { JobsError } from "../../../shared/errors.ts";

/** The page's compiled files. */
const ownFiles = fileURLToPath(new URL("../page/", import.meta.url));

/** The page's libraries: package directories, by the path under which they are served. */
const libraries: Record<string, [packageName: string, directory: string]> = {
  "/static/lit-html/": ["lit-html", "."],
  "/static/uplot/": ["uplot", "dist"],
  "/static/pico/": ["@picocss/pico", "css"],
};

/** Maps the library names in the page's modules to paths; part of the page. */
const importMap = JSON.stringify({
  imports: {
    "lit-html": "/static/lit-html/lit-html.js",
    "lit-html/": "/static/lit-html/",
    uplot: "/static/uplot/uPlot.esm.js",
  },
});

/** Allows this one inline script. */
export const importMapHash = `'sha256-${createHash("sha256").update(importMap).digest("base64")}'`;

/** Serves the overview page at `/` with its files and libraries; nothing comes from other sites. */
export async function addOverview(app: FastifyInstance): Promise<void> {
  const page = readFileSync(join(ownFiles, "overview.html"), "utf8").replace(
    "<!-- import map -->",
    `<script type="importmap">${importMap}</script>`,
  );
  app.get("/", { schema: { hide: true } }, async (_request, reply) => reply.type("text/html").send(page));
  const served = { decorateReply: false, index: false as const, schemaHide: true };
  await app.register(fastifyStatic, {
    ...served,
    root: ownFiles,
    prefix: "/static/page/",
    allowedPath: (path) => /\.(?:js|css)$/.test(path),
  });
  for (const [prefix, [name, directory]] of Object.entries(libraries)) {
    await app.register(fastifyStatic, {
      ...served,
      root: join(packageDirectory(name), directory),
      prefix,
      allowedPath: (path) => /\.(?:js|css)$/.test(path),
    });
  }
}

/** Searches the directories itself, because some packages do not export their package.json. */
function packageDirectory(name: string): string {
  const { paths } = createRequire(import.meta.url).resolve;
  const found = (paths(name) ?? []).map((path) => join(path, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new JobsError("internal", `${name} is not installed`, { hint: "run npm ci" });
}
