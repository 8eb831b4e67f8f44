/** A Redis to use. */
export interface RedisServer {
  url: string;
  /** Ends it and removes its files if it was started here; safe to call twice. */
  stop: () => Promise<void>;
  /** Sets a process group to end too if this process is killed; null: none. */
  watch: (pid: number | null) => void;
}

export function startRedis(): Promise<RedisServer>;
export function withRedis<T>(body: (redis: RedisServer) => Promise<T>): Promise<T>;
