import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import { BoundedList, beginningOf } from "../../browse/bounded.ts";
import type { FoundArea } from "../../contract/area.ts";
import { type FoundJob, type Search, searchSchema } from "../../contract/totals.ts";
import { searchJobs } from "../../fleet/search-jobs.ts";
import { problems } from "./jobs.ts";
import type { ServerContext } from "./server-context.ts";

/** Maximum number of each kind in an answer, and bytes of it as JSON. */
const most = 20;
const listBytes = 60_000;
/** Milliseconds for the runs of all areas. */
const searchTime = 3000;

/** `/api/v1/search`: areas, jobs and runs by a piece of text. */
export const searchRoute =
  (context: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/search",
      {
        schema: {
          tags: ["areas"],
          summary:
            "Find areas by name or path, jobs by the beginning of their id, runs by a part of their name",
          description:
            "Runs are searched area by area for 3 seconds: `searched` of `total` areas. `complete` says whether all was found.",
          querystring: z.strictObject({ q: z.string().trim().min(2).max(200) }),
          response: { 200: searchSchema, ...problems(400) },
        },
      },
      async ({ query: { q } }) => await search(context, q),
    );
  };

async function search({ session, ask, areaPool }: ServerContext, text: string): Promise<Search> {
  const all = areaPool.areas().then(({ areas }) => areas);
  const usable = all.then((areas) => areas.filter(({ problem }) => problem === null));
  const [areas, jobs, runs] = await Promise.all([
    orNull(all.then((areas) => matchingAreas(areas, text))),
    orNull(ask(() => searchJobs(session, text, most)).then(boundedJobs)),
    orNull(
      usable.then((areas) => areaPool.searchRuns({ areas, text, limit: most, milliseconds: searchTime })),
    ),
  ]);
  return { areas, jobs, runs };
}

/** One kind that cannot be searched does not hide the others. */
async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch {
    return null;
  }
}

function matchingAreas(areas: readonly FoundArea[], text: string): Search["areas"] {
  const wanted = text.toLowerCase();
  const matching = areas.filter(({ area, name }) =>
    [area, name ?? ""].some((value) => value.toLowerCase().includes(wanted)),
  );
  const list = new BoundedList<Pick<FoundArea, "area" | "areaId" | "name">>(listBytes);
  for (const { area, areaId, name } of matching.slice(0, most)) list.add({ area, areaId, name });
  return { list: list.rows, complete: list.rows.length === matching.length };
}

function boundedJobs({ list, complete }: { list: FoundJob[]; complete: boolean }): Search["jobs"] {
  const bounded = new BoundedList<FoundJob>(listBytes);
  for (const { area, ...job } of list)
    bounded.add({ ...job, area: area === null ? null : beginningOf(area, 4096) });
  return { list: bounded.rows, complete: complete && bounded.rows.length === list.length };
}
