import type { Telemetry } from "bullmq";
import type { Settings } from "../settings/settings.ts";

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
  const [{ BullMQOtel }, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import("bullmq-otel"),
    import("@opentelemetry/sdk-trace-node"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/resources"),
  ]);
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: patienceMs });
  const provider = new sdk.NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": "mtjobs", "host.name": host }),
    spanProcessors: [new sdk.BatchSpanProcessor(exporter, { scheduledDelayMillis: everyMs })],
  });
  provider.register();
  return { telemetry: new BullMQOtel({ tracerName: "mtjobs" }), flush: () => provider.forceFlush() };
}
