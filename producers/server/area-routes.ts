import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { JobsError } from "../../shared/errors.ts";
import { readQueues, wholeStatus } from "../area-queue.ts";
import { areaSchema, diagnosisSchema, historySchema } from "./answers.ts";
import { problems } from "./job-routes.ts";
import type { ServerParts } from "./server-parts.ts";

/** Jobs of an area's history that are told of. */
const historyShown = 500;

const idParams = z.strictObject({ areaId: z.uuid() });
const pathQuery = z.strictObject({ path: z.string().startsWith("/", "must be absolute").max(4096) });

/** What is told of one area, given its path. */
interface Told {
  /** Behind the area's own URL. */
  suffix: "" | "/history" | "/doctor";
  summary: string;
  schema: z.ZodType;
  tell: (path: string) => Promise<object>;
}

/** `/api/v1/areas/:areaId…`, and the same for an area's path, as one that has no id yet has that alone. */
export const areaRoutes =
  ({ session, ask, desk }: ServerParts): FastifyPluginAsyncZod =>
  async (app) => {
    const status = async (path: string) => ({
      ...(await wholeStatus(
        desk.status(path),
        ask(() => readQueues(session)),
      )),
    });

    async function pathOf(areaId: string): Promise<string> {
      const found = await desk.areaOf(areaId);
      if (found !== undefined) return found.area;
      throw new JobsError("not-an-area", `no area below the server's roots has the id ${areaId}`, {
        hint: "GET /api/v1/areas lists them",
      });
    }

    function add({ suffix, summary, schema, tell }: Told): void {
      const described = { tags: ["areas"], summary };
      app.get(
        `/areas/:areaId${suffix}`,
        { schema: { ...described, params: idParams, response: { 200: schema, ...problems(400, 404, 504) } } },
        async ({ params }) => await tell(await pathOf(params.areaId)),
      );
      const response = { 200: schema, ...problems(400, 403, 404, 504) };
      app.get(
        `/areas/by-path${suffix}`,
        {
          schema: {
            ...described,
            summary: `${summary}; by the area's path`,
            querystring: pathQuery,
            response,
          },
        },
        async ({ query }) => await tell(query.path),
      );
    }

    add({
      suffix: "",
      summary: "One area: sizes, runs on each side, homehost, locks, migration, last and unfinished jobs",
      schema: areaSchema,
      tell: status,
    });
    add({
      suffix: "/history",
      summary: `The last ${historyShown} jobs done on an area, oldest first`,
      schema: historySchema,
      tell: async (path) => ({ history: await desk.history(path, historyShown) }),
    });
    add({
      suffix: "/doctor",
      summary: "What the doctor says of an area, as it was within the last 60 seconds",
      schema: diagnosisSchema,
      tell: async (path) => ({ ...(await desk.diagnosis(path)) }),
    });
  };
