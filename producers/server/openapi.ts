import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";

const docsPath = "/docs";

/**
 * Serves `/openapi.json`, generated from the schemas that validate requests, and a page for it. Must be called
 * before the routes are added.
 */
export async function describeApi(app: FastifyInstance, version: string, basePath: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "megatest-jobs",
        version,
        description:
          "Jobs that keep Megatest areas small and movable. Errors are problem documents (RFC 9457).",
      },
      servers: [{ url: basePath === "" ? "/" : basePath }],
      components: {
        securitySchemes: {
          bearer: { type: "http", scheme: "bearer", description: "MTJOBS_TOKEN" },
          basic: {
            type: "http",
            scheme: "basic",
            description: "Any user, with MTJOBS_TOKEN as the password",
          },
        },
      },
      security: [{ bearer: [] }, { basic: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => withoutUnused(jsonSchemaTransformObject(document)),
  });
  await app.register(swaggerUi, {
    routePrefix: docsPath,
    indexPrefix: basePath,
    uiConfig: { docExpansion: "list" },
  });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}

interface Description {
  components?: { schemas?: Record<string, unknown> };
}

/** Removes unused schemas: each exists as input and as output, but most are used as one of them only. */
function withoutUnused<Whole extends object>(description: Whole): Whole {
  const { components } = description as Description;
  const schemas = Object.entries(components?.schemas ?? {});
  const text = JSON.stringify(description);
  const used = schemas.filter(([name]) => text.includes(`"#/components/schemas/${name}"`));
  const fewer = { ...description, components: { ...components, schemas: Object.fromEntries(used) } };
  return used.length === schemas.length ? fewer : withoutUnused(fewer);
}
