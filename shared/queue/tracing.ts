import type { Telemetry } from "bullmq";
import { JobsError } from "../errors.ts";
import type { Settings } from "../settings/settings.ts";

/** Optional peer dependencies. */
const packages = [
  "bullmq-otel",
  "@opentelemetry/api",
  "@opentelemetry/core",
  "@opentelemetry/context-async-hooks",
  "@opentelemetry/exporter-trace-otlp-http",
  "@opentelemetry/resources",
  "@opentelemetry/sdk-trace",
];

/** Timeout of the collector, ms: an unreachable one must not delay a command. */
const patienceMs = 2_000;
const everyMs = 1_000;

interface Tracing {
  telemetry: Telemetry;
  flush(): Promise<void>;
}

/** OpenTelemetry has one provider per process. */
let starting: Promise<Tracing> | undefined;
let started: Tracing | undefined;

/** Traces queues and jobs opened afterwards, if `tracesUrl` is set. Loads the libraries only then. */
export async function startTracing({ tracesUrl, host }: Pick<Settings, "tracesUrl" | "host">): Promise<void> {
  if (tracesUrl === undefined) return;
  starting ??= start(tracesUrl, host);
  started = await starting;
}

export function tracing(): { telemetry?: Telemetry } {
  return started === undefined ? {} : { telemetry: started.telemetry };
}

/** Sends pending spans. Never rejects: an unreachable collector must not stop work. */
export async function flushTraces(): Promise<void> {
  await started?.flush().catch(() => {});
}

async function start(url: string, host: string): Promise<Tracing> {
  const { BullMQOtel, api, core, context, exporter, resources, sdk } = await load();
  const spans = new exporter.OTLPTraceExporter({ url, timeoutMillis: patienceMs });
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes({ "service.name": "mtjobs", "host.name": host }),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter: spans, scheduledDelayMillis: everyMs })],
  });
  api.context.setGlobalContextManager(new context.AsyncLocalStorageContextManager());
  api.propagation.setGlobalPropagator(new core.W3CTraceContextPropagator());
  api.trace.setGlobalTracerProvider(provider);
  return { telemetry: new BullMQOtel({ tracerName: "mtjobs" }), flush: () => provider.forceFlush() };
}

/** Loads the optional peer dependencies. @throws {JobsError} `bad-settings` if one is missing */
async function load() {
  try {
    const [{ BullMQOtel }, api, core, context, exporter, resources, sdk] = await Promise.all([
      import("bullmq-otel"),
      import("@opentelemetry/api"),
      import("@opentelemetry/core"),
      import("@opentelemetry/context-async-hooks"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/sdk-trace"),
    ]);
    return { BullMQOtel, api, core, context, exporter, resources, sdk };
  } catch (error) {
    const message = `MTJOBS_TRACES_URL is set, but a package for traces does not load: ${String(error)}`;
    throw new JobsError("bad-settings", message, {
      hint: `run npm install ${packages.join(" ")} beside megatest-jobs, or unset MTJOBS_TRACES_URL`,
    });
  }
}
