// What a sign-in may be used for, as the key or certificate that signed says. It narrows what a grant allows and never
// widens it. Enforcing it is the connection's job.

export interface Endpoint {
  readonly host: string;
  readonly port: number | '*';
}

export interface Restrictions {
  readonly pty: boolean;
  readonly portForwarding: boolean;
  readonly agentForwarding: boolean;
  readonly x11Forwarding: boolean;
  /** Runs on the device in place of whatever shell, command or subsystem is asked for. */
  readonly forcedCommand: string | undefined;
  /** Where local forwards may lead; undefined: wherever the grant allows. */
  readonly permitOpen: readonly Endpoint[] | undefined;
  /** Where remote forwards may listen; undefined: wherever the grant allows. */
  readonly permitListen: readonly Endpoint[] | undefined;
}

export const UNRESTRICTED: Restrictions = {
  pty: true,
  portForwarding: true,
  agentForwarding: true,
  x11Forwarding: true,
  forcedCommand: undefined,
  permitOpen: undefined,
  permitListen: undefined,
};

/** Both at once. Undefined when they force different commands, which nothing can satisfy. */
export function bothRestrictions(a: Restrictions, b: Restrictions): Restrictions | undefined {
  const conflicting =
    a.forcedCommand !== undefined && b.forcedCommand !== undefined && a.forcedCommand !== b.forcedCommand;
  if (conflicting) return undefined;
  return {
    pty: a.pty && b.pty,
    portForwarding: a.portForwarding && b.portForwarding,
    agentForwarding: a.agentForwarding && b.agentForwarding,
    x11Forwarding: a.x11Forwarding && b.x11Forwarding,
    forcedCommand: a.forcedCommand ?? b.forcedCommand,
    permitOpen: bothEndpoints(a.permitOpen, b.permitOpen),
    permitListen: bothEndpoints(a.permitListen, b.permitListen),
  };
}

function bothEndpoints(
  a: readonly Endpoint[] | undefined,
  b: readonly Endpoint[] | undefined,
): readonly Endpoint[] | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.filter((one) => b.some((other) => one.host === other.host && one.port === other.port));
}

/** True when `host:port` is among the endpoints. Hosts are compared as written, but for case; `*` is any port or host. */
export function endpointAllowed(
  endpoints: readonly Endpoint[] | undefined,
  host: string,
  port: number,
): boolean {
  if (endpoints === undefined) return true;
  const wanted = host.toLowerCase();
  return endpoints.some(
    (endpoint) =>
      (endpoint.host === '*' || endpoint.host.toLowerCase() === wanted) &&
      (endpoint.port === '*' || endpoint.port === port),
  );
}
