/** A failure that the API tells its caller, in Lambda's words. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly suggestion?: string,
  ) {
    super(message);
  }

  /** The body of the answer. */
  body(requestId: string) {
    const { code, message, suggestion } = this;
    return { error: { code, message, ...(suggestion && { suggestion }), request_id: requestId } };
  }
}

const keySuggestion = "Check your API key or create a new one, then try again.";

export const noApiKey = () =>
  new ApiError(
    401,
    "global/invalid-api-key",
    "No API key was provided.",
    "Pass your API key in the AUTHORIZATION header, then try again.",
  );

export const badApiKey = () =>
  new ApiError(401, "global/invalid-api-key", "API key was invalid, expired, or deleted.", keySuggestion);

export const accountInactive = () =>
  new ApiError(
    403,
    "global/account-inactive",
    "Your account is inactive.",
    "Make sure you have verified your email address and have a valid payment method. Contact Support if problems continue.",
  );

export const invalidAddress = () =>
  new ApiError(
    403,
    "global/invalid-address",
    "Your billing address is invalid.",
    "Make sure your billing address is valid. Contact Support if problems continue.",
  );

export const invalidParameters = (message: string) =>
  new ApiError(400, "global/invalid-parameters", message, "Retry the request after fixing the request parameters.");

export const doesNotExist = (message: string) =>
  new ApiError(404, "global/object-does-not-exist", message, "Check the id or name, then try again.");

export const notFound = () => new ApiError(404, "global/not-found", "The requested resource was not found.");

export const quotaExceeded = () =>
  new ApiError(400, "global/quota-exceeded", "Quota exceeded.", "Contact Support to increase your quota.");

export const insufficientCapacity = () =>
  new ApiError(
    400,
    "instance-operations/launch/insufficient-capacity",
    "Not enough capacity to fulfill launch request.",
    "Choose an instance type with more availability, or try again later.",
  );

export const unknownError = () => new ApiError(500, "global/unknown", "An unknown error occurred.");

/** The cloud itself cannot do it now. Status and code as Lambda tells of trouble behind its API (the status is inferred). */
export const unavailable = (message: string) =>
  new ApiError(503, "provider/internal-unavailable", message, "Try again shortly.");
