/** True where a stream ended too early or in the middle of something, as it does when the other side is gone. */
export function isBrokenStream(error: unknown): boolean {
  const { code = "", message = "" } = error as { code?: string; message?: string };
  return code === "ERR_STREAM_PREMATURE_CLOSE" || /premature close|stream was destroyed/i.test(message);
}
