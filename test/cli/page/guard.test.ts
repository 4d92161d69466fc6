import { request } from "node:http";
import type { AddressInfo } from "node:net";
import fastify from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Guard, securityHeaders } from "../../../cli/page/guard";

describe("who may use the dashboard page", () => {
  const server = fastify({ forceCloseConnections: true });
  const guard = new Guard();
  let port = 0;
  let cookie = "";

  beforeAll(async () => {
    guard.install(server);
    server.get("/", async () => "page");
    server.get("/events", async () => "secrets");
    server.post("/api/actions/stop", async () => "stopped");
    await server.listen({ host: "127.0.0.1", port: 0 });
    port = (server.server.address() as AddressInfo).port;
    const [set = ""] = (await ask(`/${new URL(guard.address(port)).search}`)).cookies;
    cookie = set.slice(0, set.indexOf(";"));
  });
  afterAll(() => server.close());

  const ask = (
    path: string,
    headers: Record<string, string> = {},
    method = "GET",
  ): Promise<{ code: number; body: string; cookies: string[] }> =>
    new Promise((resolve, reject) => {
      const asked = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on("end", () =>
          resolve({ code: response.statusCode ?? 0, body, cookies: response.headers["set-cookie"] ?? [] }),
        );
      });
      asked.on("error", reject).end();
    });
  const code = async (...args: Parameters<typeof ask>): Promise<number> => (await ask(...args)).code;

  it("is who opened the address with the token; the token leaves the address", async () => {
    const answer = await ask(`/?token=${guard.token}`);
    expect(answer.code).toBe(302);
    expect(answer.cookies[0]).toMatch(/; HttpOnly; SameSite=Strict; Path=\/$/);
    expect(await code("/", { cookie })).toBe(200);
    expect(await code("/events", { cookie })).toBe(200);
    expect(await code("/events", { cookie: `other=1; ${cookie}`, host: `localhost:${port}` })).toBe(200);
  });

  it("is nobody without the token, or with another one", async () => {
    expect(await ask("/events")).toMatchObject({ code: 403, body: expect.not.stringContaining("secrets") });
    for (const token of ["", "x", guard.token.slice(1), `${guard.token}x`, "é".repeat(16)]) {
      expect(await code(`/?token=${encodeURIComponent(token)}`), token).toBe(403);
      expect(await code("/", { cookie: `lambda-train-${port}=${encodeURIComponent(token)}` }), token).toBe(403);
    }
  });

  it("is nobody by another host's name, whatever DNS makes of it", async () => {
    for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1", `127.0.0.1.evil.example:${port}`]) {
      expect(await code("/", { cookie, host }), host).toBe(403);
    }
  });

  it("is no page of another origin", async () => {
    const ours = `http://127.0.0.1:${port}`;
    const stop = (headers: Record<string, string>): Promise<number> =>
      code("/api/actions/stop", { cookie, ...headers }, "POST");
    expect(await stop({ origin: ours, "sec-fetch-site": "same-origin" })).toBe(200);
    for (const origin of ["null", "https://evil.example", "http://127.0.0.1:1", `https://127.0.0.1:${port}`]) {
      expect(await stop({ origin }), origin).toBe(403);
      expect(await code("/events", { cookie, origin }), origin).toBe(403);
    }
    expect(await stop({}), "a request that changes something names its origin").toBe(403);
    expect(await stop({ origin: ours, "sec-fetch-site": "cross-site" })).toBe(403);
    expect(await code("/events", { cookie, "sec-fetch-site": "same-site" })).toBe(403);
  });

  it("has a page that loads nothing from elsewhere and is framed by nobody", () => {
    const policy = securityHeaders("sha256-x")["content-security-policy"];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self' 'sha256-x';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
  });
});
