import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";

/** Where people read the description. */
const docsPath = "/docs";

/** `/openapi.json`, made from the schemas that requests are checked with, and a page that shows it. To be called before the routes. */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "megatest-jobs",
        version,
        description:
          "Jobs that keep Megatest areas small and movable. Errors are problem documents (RFC 9457).",
      },
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
  await app.register(swaggerUi, { routePrefix: docsPath, uiConfig: { docExpansion: "list" } });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}

interface Description {
  components?: { schemas?: Record<string, unknown> };
}

/** Every schema comes once as input and once as output; most are only used as one of them. */
function withoutUnused<Whole extends object>(description: Whole): Whole {
  const { components } = description as Description;
  const schemas = Object.entries(components?.schemas ?? {});
  const text = JSON.stringify(description);
  const used = schemas.filter(([name]) => text.includes(`"#/components/schemas/${name}"`));
  const fewer = { ...description, components: { ...components, schemas: Object.fromEntries(used) } };
  return used.length === schemas.length ? fewer : withoutUnused(fewer);
}
