import { randomBytes, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** Header of every answer. The page loads nothing from elsewhere, runs nothing written into it, and is framed by nobody. */
export function securityHeaders(scriptHash: string): Record<string, string> {
  const policy = [
    "default-src 'none'",
    `script-src 'self' '${scriptHash}'`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    ...["base-uri", "form-action", "frame-ancestors"].map((name) => `${name} 'none'`),
  ];
  return {
    "content-security-policy": policy.join("; "),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  };
}

/**
 * Lets in whoever opened the address that the command printed, and nobody else: other users of this machine do not know
 * the token, pages of other sites have no cookie (SameSite) and another origin, and a name that a hostile DNS server
 * makes point here is not a host of ours.
 */
export class Guard {
  readonly token = randomBytes(24).toString("base64url");
  private port = 0;

  /** Puts the checks before every route. */
  install(server: FastifyInstance): void {
    server.addHook("onRequest", async (request, reply) => this.check(request, reply));
  }

  /** The address that lets its opener in. */
  address(port: number): string {
    this.port = port;
    return `http://127.0.0.1:${port}/?token=${this.token}`;
  }

  private check(request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
    const { host, origin } = request.headers;
    const refuse = (why: string): FastifyReply => reply.code(403).type("text/plain; charset=utf-8").send(`${why}\n`);
    if (host === undefined || !this.hosts.includes(host)) return refuse("This isn't the dashboard's host name.");
    const reads = request.method === "GET" || request.method === "HEAD";
    // A browser names the origin of whatever changes something.
    if (origin === undefined ? !reads : origin !== `http://${host}`) return refuse("Another page sent this request.");
    const site = request.headers["sec-fetch-site"];
    const { pathname, searchParams } = new URL(request.url, `http://${host}`);
    const given = searchParams.get("token");
    if (pathname === "/" && given !== null) return this.admit(reply, given, refuse);
    if (site !== undefined && site !== "same-origin" && site !== "none")
      return refuse("Another page sent this request.");
    if (!this.isToken(cookieOf(request, this.cookie))) {
      return refuse("Open the address that `npm run dashboard` printed: it lets this browser in.");
    }
    return undefined;
  }

  /** The token leaves the address bar at once: a cookie takes its place. */
  private admit(reply: FastifyReply, given: string, refuse: (why: string) => FastifyReply): FastifyReply {
    if (!this.isToken(given))
      return refuse("This address belongs to another `npm run dashboard`. Open the newest one.");
    return reply.header("set-cookie", `${this.cookie}=${this.token}; HttpOnly; SameSite=Strict; Path=/`).redirect("/");
  }

  private get hosts(): string[] {
    return [`127.0.0.1:${this.port}`, `localhost:${this.port}`];
  }

  /** Cookies are the same for all ports of a host. */
  private get cookie(): string {
    return `lambda-train-${this.port}`;
  }

  private isToken(given: string | undefined): boolean {
    const [theirs, ours] = [Buffer.from(given ?? ""), Buffer.from(this.token)];
    return theirs.length === ours.length && timingSafeEqual(theirs, ours);
  }
}

function cookieOf(request: FastifyRequest, name: string): string | undefined {
  const pairs = (request.headers.cookie ?? "").split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}
