import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { basePath } from "../openapi/document";
import { operations } from "../openapi/operations";
import { DiskFull } from "../state/files";
import { ApiError, invalidParameters, notFound, unavailable, unknownError } from "./errors";
import { fromSchemaErrors } from "./validation";

/** Every failure leaves the server in the API's envelope, those of the framework too. */
export function tellFailures(server: FastifyInstance, log: (line: string) => void): void {
  server.setNotFoundHandler(async (request, reply) => {
    const methods = methodsAt(request.url.split("?")[0] ?? "");
    if (methods.length === 0) throw notFound();
    reply.header("allow", methods.join(", "));
    throw new ApiError(405, "global/invalid-parameters", "Method Not Allowed");
  });
  server.setErrorHandler(async (error: FastifyError | ApiError, request, reply) => {
    const failure = toApiError(error);
    if (failure.status >= 500 && !(error instanceof ApiError)) log(`API: ${error.stack ?? error.message}`);
    return tell(failure, request, reply);
  });
}

/** For what fails before there is a route: a path that is not encoded as a URL, or an id of thousands of characters. */
export const tellFrameworkError = (_error: FastifyError, request: FastifyRequest, reply: FastifyReply): void =>
  void tell(invalidParameters("Error in request path: it is not valid"), request, reply);

const tell = (failure: ApiError, request: FastifyRequest, reply: FastifyReply): FastifyReply =>
  reply.code(failure.status).send(failure.body(request.id));

function toApiError(error: FastifyError | ApiError): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DiskFull) return unavailable(error.message);
  if (error.code === "ENOSPC") return unavailable("The emulated cloud's disk is full. Free space there.");
  if (error.validation) return fromSchemaErrors(error.validation, error.validationContext ?? "body");
  if (error.statusCode === 413) return new ApiError(413, "global/invalid-parameters", "Request body is too large.");
  if (error.statusCode && error.statusCode < 500) return invalidParameters(error.message);
  return unknownError();
}

/** Methods that there are at a path: those of the path itself, else of one with an id. */
function methodsAt(path: string): string[] {
  const at = operations.filter((operation) => basePath + operation.path === path);
  const withId = operations.filter((operation) =>
    new RegExp(`^${basePath}${operation.path.replace("{id}", "[^/]+")}$`).test(path),
  );
  return (at.length > 0 ? at : withId).map((operation) => operation.method.toUpperCase());
}
