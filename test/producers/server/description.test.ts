import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import * as areas from "../../../producers/contract/area.ts";
import * as fleet from "../../../producers/contract/fleet.ts";
import * as jobs from "../../../producers/contract/job.ts";
import { requestNames } from "../../../producers/jobs/request-job.ts";
import { problemSchema } from "../../../producers/server/routes/problems.ts";
import { payloadSchemas } from "../../../shared/contract/payload.ts";
import { withServerStage } from "../../support/queue.ts";

const served = withServerStage();
const { call } = served;

describe("the description of the API", () => {
  it("is a valid OpenAPI 3.1 document", async () => {
    const { status, body } = await call("GET /openapi.json");
    expect({ status, openapi: body.openapi }).toEqual({ status: 200, openapi: "3.1.0" });
    expect(await new Validator().validate(body)).toEqual({ valid: true });
    const text = JSON.stringify(body);
    const unused = Object.keys(body.components.schemas).filter((name) => !text.includes(`/schemas/${name}"`));
    expect(unused).toEqual([]);
  });

  it("names every member of every job that may be asked for, no other job, and every route", async () => {
    const { body } = await call("GET /openapi.json");
    const { oneOf } = body.paths["/api/v1/jobs"].post.requestBody.content["application/json"].schema;
    const described: { properties: Record<string, { const?: string }> }[] = oneOf.map(
      ({ $ref }: { $ref: string }) => body.components.schemas[$ref.split("/").at(-1) ?? ""],
    );
    const names = described.map(({ properties }) => properties.job?.const ?? "");
    expect(names.sort()).toEqual([...requestNames].sort());
    for (const name of requestNames) {
      const { shape } = payloadSchemas[name];
      const { properties = {} } = described.find((schema) => schema.properties.job?.const === name) ?? {};
      const members = ["job", ...Object.keys(shape).filter((member) => member !== "v")];
      expect(Object.keys(properties).sort()).toEqual(members.sort());
    }
    const runs = ["", "/{runId}", "/{runId}/tests", "/{runId}/tests/{testId}"].map((rest) => `/runs${rest}`);
    expect(Object.keys(body.paths).sort()).toEqual(
      ["", "/history", "/doctor", "/forecast", "/query", ...runs]
        .flatMap((suffix) => [`areas/{areaId}${suffix}`, `areas/by-path${suffix}`])
        .concat([
          "jobs",
          "jobs/{jobId}",
          "jobs/{jobId}/follow",
          "jobs/{jobId}/retry",
          "areas",
          "areas/measures",
          "hosts",
          "whoami",
          "schedules",
          "schedules/{name}",
          "schedules/{name}/pause",
          "policies",
          "hosts/{host}/drain",
          "totals",
          "search",
        ])
        .map((path) => `/api/v1/${path}`)
        .concat("/healthz")
        .sort(),
    );
  });

  it("is shown by a page that loads nothing from other servers", async () => {
    const page = await call("GET /docs/");
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
    const links = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link as string);
    expect(links.length).toBeGreaterThan(4);
    for (const link of links) {
      expect(link).toMatch(/^\.\/static\//);
      expect((await call(`GET /docs/${link.slice(2)}`)).status).toBe(200);
    }
    expect(page.body).not.toMatch(/https?:\/\//);
  });

  it("describes what is answered", async () => {
    const { stage } = served;
    const area = stage.area("described", "hosta");
    const refused = await stage.enqueue("hosta", stage.area("refused", "hosta"), "refuse");
    const jobId = await stage.enqueue("hosta", area, "hold");
    await stage.worker("hosta");
    await stage.reach("hosta", refused, "failed");
    await stage.traced(area, "begin");
    const pairs: [string, z.ZodType][] = [
      ["GET /api/v1/jobs", jobs.jobsSchema],
      ["GET /api/v1/jobs?brief=true", jobs.jobSummariesSchema],
      [`GET /api/v1/jobs/${jobId}`, jobs.jobReportSchema],
      [`GET /api/v1/jobs/${jobId}/follow`, jobs.followedJobSchema],
      [`GET /api/v1/jobs/${refused}/follow`, jobs.followedJobSchema],
      ["GET /api/v1/whoami", fleet.whoAmISchema],
      ["GET /api/v1/areas", areas.foundAreasSchema],
      [`GET /api/v1/areas/by-path?path=${area}`, areas.areaStatusWithJobsSchema],
      ["GET /api/v1/hosts", fleet.fleetStatusSchema],
      ["GET /healthz", fleet.healthSchema],
      ["GET /api/v1/jobs/none", problemSchema],
      [`POST /api/v1/jobs/${refused}/retry`, jobs.retriedSchema],
      [`DELETE /api/v1/jobs/${jobId}`, jobs.cancelledSchema],
    ];
    for (const [line, schema] of pairs) {
      const { body } = await call(line);
      const { data, error } = schema.safeParse(body);
      expect([line, error && z.prettifyError(error)]).toEqual([line, undefined]);
      // A member that the schema lacks is missing from `data`.
      expect([line, data]).toEqual([line, body]);
    }
  });
});
