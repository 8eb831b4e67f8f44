import type { Telemetry } from "bullmq";
import type { Settings } from "../settings.ts";

/** What a collector has for an answer, ms: a command must not wait long for one that is away. */
const patienceMs = 2_000;
/** How often spans are sent, ms. */
const everyMs = 1_000;

interface Tracing {
  telemetry: Telemetry;
  /** Sends what is left. */
  flush(): Promise<void>;
}

/** OpenTelemetry has one provider for a whole process. */
let starting: Promise<Tracing> | undefined;
let started: Tracing | undefined;

/**
 * Where `tracesUrl` says so, BullMQ's add-on makes spans of what is done with queues and jobs that are opened from now on.
 * Its libraries are loaded then and not before. A second call changes nothing.
 */
export async function startTracing({ tracesUrl, host }: Pick<Settings, "tracesUrl" | "host">): Promise<void> {
  if (tracesUrl === undefined) return;
  starting ??= start(tracesUrl, host);
  started = await starting;
}

/** For the options of a queue or a worker. */
export function tracing(): { telemetry?: Telemetry } {
  return started === undefined ? {} : { telemetry: started.telemetry };
}

/** Sends the spans that were not sent yet. Never rejects: a collector that is away keeps nobody from working. */
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
