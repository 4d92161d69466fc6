/** Whom to tell what goes on. */
export interface Listener {
  /** Takes a line that is worth keeping. */
  readonly progress?: (line: string) => void;
  /** Takes what goes on now, a phase and what is known of it, as often as that changes. */
  readonly status?: (phase: string, detail?: string) => void;
}

/** Tells a phase whose detail changes by itself, once a second while `run` goes on. */
export async function tellingTime<T>(
  { status }: Listener,
  phase: string,
  detail: (seconds: number) => string,
  run: () => Promise<T>,
): Promise<T> {
  const started = Date.now();
  const tell = (): void => status?.(phase, detail(Math.floor((Date.now() - started) / 1000)));
  tell();
  const timer = setInterval(tell, 1000);
  try {
    return await run();
  } finally {
    clearInterval(timer);
  }
}
