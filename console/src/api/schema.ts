// Made by `npm run generate` from the API’s routes. Not to be edited.
export interface components {
  schemas: {
    Approval: {
      id: string;
      session: string;
      user: string;
      device: string;
      account: string;
      command: string;
      rule: string;
      askedAt: string;
      expiresAt: string;
    };
    AuditDetail: {
      entry: components['schemas']['AuditEntry'];
      auditors: string[];
      history: {
        at: string;
        auditor: string;
        step: string;
        comment: string;
      }[];
    };
    AuditEntry: {
      id: string;
      kind: "session" | "view";
      subject: string;
      user: string;
      submittedAt: string;
      reason: string;
      score: number;
      state: "open" | "audited";
      auditedBy: string | null;
      auditedAt: string | null;
    };
    AuditedCommand: {
      id: string;
      session: string;
      channel: number;
      at: string;
      second: number;
      user: string;
      device: string;
      credential: string;
      account: string;
      source: string;
      kind: string;
      context: string;
      typed: string;
      command: string;
      hidden: boolean;
      analysed: string[];
      opaque: boolean;
      word: string;
      how: string;
      confidence: number;
      decision: string;
      outcome: string;
      detail: string;
      rules: {
        rule: string;
        action: string;
        criticality: string;
        points: number;
        effective: boolean;
        shadow: boolean;
        why: string;
      }[];
      criticality: string | null;
      points: number;
      policy: string;
    };
    Change: {
      id: string;
      at: string;
      actor: string;
      action: string;
      kind: string;
      name: string;
      before: Record<string, unknown> | null;
      after: Record<string, unknown> | null;
    };
    CommandCount: {
      of: string;
      commands: number;
      audited: number;
      stopped: number;
      refused: number;
      points: number;
      sessions: number;
      users: number;
      first: string;
      last: string;
    };
    ConnectionGraph: {
      since: string;
      until: string;
      nodes: {
        id: string;
        kind: "user" | "origin" | "credential" | "device";
        name: string;
        sessions: number;
        suspiciousSessions: number;
        fresh: boolean;
      }[];
      edges: {
        from: string;
        to: string;
        kind: "session" | "refused" | "view";
        count: number;
        suspicious: number;
        first: string;
        last: string;
      }[];
      cut: boolean;
    };
    Credential: {
      name: string;
      device: string;
      username: string;
      kind: "password" | "privateKey";
      shellIntegration: boolean | null;
      sideChannel: boolean | null;
      createdAt: string;
      updatedAt: string;
    };
    CredentialInput: {
      device: string;
      username: string;
      password?: string;
      privateKey?: string;
      shellIntegration?: boolean | null;
      sideChannel?: boolean | null;
    };
    CredentialView: {
      id: string;
      at: string;
      user: string;
      credential: string;
      device: string;
      account: string;
      source: string;
      reason: string;
      outcome: "shown" | "refused";
      code: string;
      score: number;
      suspicious: boolean;
    };
    DefaultAuditors: {
      items: {
        name: string;
        addedAt: string;
        addedBy: string;
        active: boolean;
      }[];
      effective: string[];
    };
    Device: {
      name: string;
      host: string;
      port: number;
      os: string | null;
      tags: string[];
      hostKeys: {
        key: string;
        origin: "configured" | "first-use";
        pinnedAt: string;
      }[];
      shellIntegration: boolean | null;
      sideChannel: boolean | null;
      createdAt: string;
      updatedAt: string;
    };
    DeviceInput: {
      host: string;
      port?: number;
      os?: string | null;
      tags?: string[];
      hostKeys?: string[];
      shellIntegration?: boolean | null;
      sideChannel?: boolean | null;
    };
    ExceptionRequest: {
      id: string;
      askedAt: string;
      user: string;
      session: string;
      device: string;
      account: string;
      commandId: string;
      command: string;
      rule: string;
      owner: string;
      reason: string;
      state: "open" | "granted" | "declined";
      decidedBy: string | null;
      decidedAt: string | null;
      comment: string;
    };
    Finding: {
      id: string;
      signal: string;
      user: string;
      firstAt: string;
      lastAt: string;
      severity: string;
      score: number;
      title: string;
      text: string;
      state: "open" | "expected" | "closed";
    };
    GatewayState: {
      state: "starting" | "ready" | "draining";
      version: string;
      startedAt: string;
      addresses: string[];
      connections: number;
      unauthenticated: number;
      sessions: number;
      workers: {
        state: "starting" | "up" | "restarting";
        connections: number;
        restarts: number;
      }[];
    };
    Grant: {
      name: string;
      users: string[];
      groups: string[];
      devices: string[];
      tags: string[];
      credentials: string[] | null;
      channels: ("shell" | "exec" | "sftp" | "scp" | "forward" | "agent" | "x11")[];
      subsystems: string[];
      times: string[];
      recording: "strict" | "best-effort";
      contact: string | null;
      viewCredentials: boolean;
      nonInteractive: "pause" | "end";
      createdAt: string;
      updatedAt: string;
    };
    GrantInput: {
      users?: string[];
      groups?: string[];
      devices?: string[];
      tags?: string[];
      credentials?: string[] | null;
      channels?: ("shell" | "exec" | "sftp" | "scp" | "forward" | "agent" | "x11")[];
      subsystems?: string[];
      times?: string[];
      recording?: "strict" | "best-effort";
      contact?: string | null;
      viewCredentials?: boolean;
      nonInteractive?: "pause" | "end";
    };
    Investigation: {
      threat: components['schemas']['Threat'];
      timeline: {
        at: string;
        kind: string;
        text: string;
        session: string | null;
        finding: boolean;
      }[];
      history: {
        at: string;
        actor: string;
        status: string | null;
        caseId: string | null;
        assignee: string | null;
        note: string;
      }[];
    };
    Output: {
      name: string;
      configured: boolean;
      kind: "syslog" | "webhook" | "mail" | null;
      format: string | null;
      destination: string | null;
      transport: string | null;
      events: ("signed-in" | "sign-in-failed" | "session-started" | "session-refused" | "session-ended" | "command" | "command-settled" | "transfer" | "risk-changed" | "identification-required" | "identification-passed" | "identification-failed" | "identification-timed-out" | "credential-viewed" | "credential-view-refused" | "credential-changed" | "rating-changed" | "user-disabled" | "setting-changed" | "finding-changed" | "audit-changed" | "exception-changed" | "output-overflowed")[] | null;
      commands: "audited" | "all" | null;
      minimumSeverity: "informational" | "low" | "medium" | "high" | "critical" | null;
      queueLimit: number | null;
      overflow: "drop-oldest" | "drop-newest" | null;
      waiting: number;
      refused: number;
      delivered: number;
      lost: number;
      oldestWaiting: string | null;
      lastDelivered: string | null;
      lastError: string | null;
      lastErrorAt: string | null;
    };
    Passkey: {
      id: string;
      name: string;
      host: string;
      createdAt: string;
      seenAt: string | null;
    };
    PasskeyAssertion: {
      id: string;
      rawId: string;
      type: "public-key";
      authenticatorAttachment?: "platform" | "cross-platform";
      response: {
        clientDataJSON: string;
        authenticatorData: string;
        signature: string;
        userHandle?: string;
      };
    };
    PasskeyRegistration: {
      id: string;
      rawId: string;
      type: "public-key";
      authenticatorAttachment?: "platform" | "cross-platform";
      response: {
        clientDataJSON: string;
        attestationObject: string;
        transports?: string[];
      };
    };
    PolicyFile: {
      file: string;
      origin: "folder" | "pack";
      text: string;
      etag: string;
    };
    PolicyVersion: {
      id: string;
      at: string;
      actor: string;
      file: string;
      note: string;
      setVersion: string;
    };
    PosturePoint: {
      at: string;
      sessions: number;
      suspiciousSessions: number;
      highestRisk: number | null;
      commands: number;
      auditedCommands: number;
      blockedCommands: number;
      findings: number;
      credentialViews: number;
      refusals: number;
      bytesFromClient: number;
      bytesFromDevice: number;
      rating: number | null;
    };
    Problem: {
      type: string;
      title: string;
      status: number;
      code: "SP_API_SIGN_IN" | "SP_API_SIGN_IN_FAILED" | "SP_API_CODE_NEEDED" | "SP_API_LOCKED" | "SP_API_FORBIDDEN" | "SP_API_NOT_PROVEN" | "SP_API_CROSS_SITE" | "SP_API_MALFORMED" | "SP_API_CURSOR" | "SP_API_UNKNOWN" | "SP_API_METHOD" | "SP_API_EXISTS" | "SP_API_CONFLICT" | "SP_API_CHANGED" | "SP_API_IF_MATCH" | "SP_API_INVALID" | "SP_API_KEY_REUSED" | "SP_API_KEY_BUSY" | "SP_API_TOO_LARGE" | "SP_API_MEDIA_TYPE" | "SP_API_TOO_MANY" | "SP_API_INTERNAL" | "SP_API_UNAVAILABLE";
      detail: string;
      faults?: {
        where: string;
        message: string;
      }[];
    };
    Rating: {
      user: string;
      rating: number;
      reference: number;
      lastAccess: string | null;
      disabled: boolean;
      highRiskSessions: number;
      blockedCommands: number;
      sessionAttempts: number;
      viewAttempts: number;
    };
    RatingChange: {
      position: number;
      at: string;
      cause: string;
      before: number;
      after: number;
      session: string | null;
      second: number | null;
      actor: string;
    };
    Reauthentication: {
      id: string;
      user: string;
      trigger: string;
      because: string;
      askedBy: string;
      askedAt: string;
      session: string | null;
      outcome: string;
      decidedAt: string | null;
      decidedIn: string | null;
      method: string | null;
    };
    Recording: {
      id: string;
      user: string;
      device: string;
      account: string;
      startedAt: string;
      duration: number | null;
      state: "running" | "open" | "complete" | "interrupted" | "unreadable";
      bytes: number;
    };
    Refusal: {
      id: string;
      at: string;
      user: string;
      source: string;
      wanted: string;
      code: string;
      detail: string;
    };
    RiskPoint: {
      at: string;
      second: number;
      before: number;
      score: number;
      suspicious: boolean;
      findings: string[];
    };
    Rotation: {
      id: string;
      credential: string;
      device: string;
      actor: string;
      method: string;
      state: "prepared" | "sent" | "done" | "failed" | "unverified";
      detail: string;
      startedAt: string;
      finishedAt: string | null;
    };
    RuleMatch: {
      rule: string;
      description: string | null;
      action: string;
      criticality: string;
      points: number;
      shadow: boolean;
      effective: boolean;
      occurrence: number;
      occurrences: number;
      command: number | null;
      why: string;
      message: string | null;
      contact: string | null;
    };
    Session: {
      id: string;
      user: string;
      device: string;
      host: string;
      port: number;
      credential: string;
      account: string;
      grant: string;
      recording: string;
      source: string;
      client: string;
      authentication: string;
      via: string;
      startedAt: string;
      endedAt: string | null;
      endReason: string | null;
      bytesFromClient: number | null;
      bytesFromDevice: number | null;
      live: boolean;
      held: boolean;
      risk: number | null;
      suspicious: boolean;
    };
    SessionRisk: {
      session: string;
      user: string;
      device: string;
      startedAt: string;
      score: number;
      commandPoints: number;
      auditedCommands: number;
      blockedCommands: number;
      suspiciousAt: string | null;
      standing: string;
      submitted: boolean;
      action: string;
      findings: string[];
    };
    Setting: {
      key: string;
      text: string;
      value: number | boolean | string;
      standard: number | boolean | string;
      type: string;
      minimum: number | null;
      maximum: number | null;
    };
    Threat: {
      id: string;
      model: string;
      user: string;
      firstAt: string;
      lastAt: string;
      severity: string;
      score: number;
      title: string;
      text: string;
      status: "new" | "under-review" | "escalated" | "pending-hr" | "expected" | "closed";
      caseId: string | null;
      assignee: string | null;
    };
    Token: {
      id: string;
      name: string;
      permissions: ("self" | "directory.read" | "directory.write" | "settings.read" | "settings.write" | "policies.read" | "policies.write" | "sessions.read" | "sessions.watch" | "sessions.order" | "commands.read" | "approvals.decide" | "recordings.read" | "ratings.read" | "ratings.write" | "findings.read" | "findings.write" | "exports.write" | "changes.read" | "metrics.read")[];
      addresses: string[];
      createdAt: string;
      expiresAt: string;
      seenAt: string | null;
    };
    Transfers: {
      files: {
        command: string;
        at: string;
        second: number;
        channelKind: string;
        direction: "up" | "down";
        path: string;
        bytes: number;
        sha256: string | null;
        partial: string;
      }[];
      forwards: {
        command: string;
        at: string;
        second: number;
        word: string;
        address: string;
        bytesToDevice: number;
        bytesFromDevice: number;
        seconds: number | null;
        outcome: string;
      }[];
      operations: {
        command: string;
        at: string;
        second: number;
        channelKind: string;
        text: string;
        outcome: string;
        detail: string;
      }[];
      cut: boolean;
    };
    TriedLine: {
      commands: {
        text: string;
        argv: string[];
        via: string[];
        deferred: boolean;
        start: number;
        end: number;
      }[];
      opaque: {
        text: string;
        why: string;
        where: string;
      }[];
      incomplete: string;
      action: string;
      allowlistMiss: boolean;
      points: number;
      policyVersion: string;
      matches: components['schemas']['RuleMatch'][];
    };
    Use: {
      of: string;
      sessions: number;
      suspiciousSessions: number;
      last: string;
    };
    User: {
      name: string;
      roles: ("engineer" | "administrator" | "auditor")[];
      groups: string[];
      department: string | null;
      priority: "critical" | "high" | "medium" | "low";
      keys: string[];
      password: boolean;
      totp: boolean;
      authentication: (("publickey" | "password" | "totp")[])[] | null;
      disabledReason: string | null;
      createdAt: string;
      updatedAt: string;
    };
    UserInput: {
      password?: string | null;
      totp?: string | null;
      keys?: string[];
      roles?: ("engineer" | "administrator" | "auditor")[];
      groups?: string[];
      department?: string | null;
      priority?: "critical" | "high" | "medium" | "low";
      authentication?: (("publickey" | "password" | "totp")[])[] | null;
    };
    UserPosture: {
      user: string;
      sessions: number;
      suspiciousSessions: number;
      highestRisk: number | null;
      commands: number;
      auditedCommands: number;
      blockedCommands: number;
      findings: number;
      credentialViews: number;
      refusals: number;
      bytesFromClient: number;
      bytesFromDevice: number;
      liveSessions: number;
      threats: number;
      rating: number;
      ratingChange: number;
      lastSession: string | null;
    };
    Who: {
      name: string;
      roles: string[];
      permissions: ("self" | "directory.read" | "directory.write" | "settings.read" | "settings.write" | "policies.read" | "policies.write" | "sessions.read" | "sessions.watch" | "sessions.order" | "commands.read" | "approvals.decide" | "recordings.read" | "ratings.read" | "ratings.write" | "findings.read" | "findings.write" | "exports.write" | "changes.read" | "metrics.read")[];
    };
  };
}

export interface paths {
  "/api/health": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/ready": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/gateway": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['GatewayState'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/metrics": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "text/plain; version=0.0.4": string;
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sign-in": {
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            name: string;
            password: string;
            code?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Who'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sign-out": {
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/me": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Who'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/setup": {
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            secret: string;
            name: string;
            password: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              name: string;
              totp: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/tokens": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Token'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            name: string;
            permissions: ("self" | "directory.read" | "directory.write" | "settings.read" | "settings.write" | "policies.read" | "policies.write" | "sessions.read" | "sessions.watch" | "sessions.order" | "commands.read" | "approvals.decide" | "recordings.read" | "ratings.read" | "ratings.write" | "findings.read" | "findings.write" | "exports.write" | "changes.read" | "metrics.read")[];
            addresses?: string[];
            expiresAt: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              secret: string;
              token: components['schemas']['Token'];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/tokens/{id}": {
    delete: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/passkeys": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Passkey'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            name: string;
            response: components['schemas']['PasskeyRegistration'];
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Passkey'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/passkeys/options": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            password?: string;
            code?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              options: Record<string, unknown>;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/passkeys/{id}": {
    delete: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sign-in/passkey/options": {
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              options: Record<string, unknown>;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sign-in/passkey": {
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            response: components['schemas']['PasskeyAssertion'];
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Who'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/users": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          q?: string;
          role?: "engineer" | "administrator" | "auditor";
          group?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['User'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/users/{name}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['User'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    put: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": components['schemas']['UserInput'];
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['User'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    delete: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/users/{name}/disable": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            reason: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['User'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/users/{name}/end-sign-ins": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            tokens?: boolean;
            passkeys?: boolean;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              signIns: number;
              tokens: number;
              passkeys: number;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/users/{name}/enable": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['User'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/devices": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          q?: string;
          tag?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Device'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/devices/{name}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Device'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    put: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": components['schemas']['DeviceInput'];
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Device'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    delete: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/devices/{name}/forget-host-keys": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Device'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/credentials": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          q?: string;
          device?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Credential'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/credentials/{name}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Credential'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    put: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": components['schemas']['CredentialInput'];
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Credential'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    delete: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/grants": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          q?: string;
          user?: string;
          device?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Grant'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/grants/{name}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Grant'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    put: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": components['schemas']['GrantInput'];
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Grant'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    delete: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/rotations": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          credential?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Rotation'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/credentials/{name}/rotation": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            by?: string;
            method?: "chpasswd" | "sudo-chpasswd" | "passwd";
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              outcome: "done" | "failed" | "unverified" | "running";
              id: string | null;
              detail: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/ratings": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          sort?: "rating" | "drop" | "lastAccess" | "highRiskSessions" | "blockedCommands";
          order?: "asc" | "desc";
          q?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Rating'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/ratings/{name}/ledger": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          since?: string;
        };
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['RatingChange'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/ratings/{name}/recompute": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              rows: number;
              stored: number;
              recomputed: number;
              agrees: boolean;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/risks": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          since?: string;
          user?: string;
          suspicious?: "true" | "false";
          submitted?: "true" | "false";
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['SessionRisk'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sessions/{id}/risk": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['SessionRisk'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sessions/{id}/expected": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              user: string;
              before: number;
              after: number;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/settings/what-if": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            since?: string;
            values: Record<string, number | boolean | string>;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              looked: number;
              different: number;
              items: {
                session: string;
                user: string;
                startedAt: string;
                before: number;
                after: number;
                suspiciousBefore: boolean;
                suspiciousAfter: boolean;
                actionBefore: string;
                actionAfter: string;
                askedBefore: string | null;
                askedAfter: string | null;
              }[];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/me/reauthentication": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              waiting: components['schemas']['Reauthentication'][];
              questions: ("password" | "totp")[];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            password?: string;
            code?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/reauthentications": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          since?: string;
          user?: string;
          outcome?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Reauthentication'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/users/{name}/reauthentication": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            reason?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    delete: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/settings": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Setting'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    put: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            values: Record<string, number | boolean | string | null>;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Setting'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/settings/{key}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          key: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Setting'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/changes": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          order?: "desc" | "asc";
          since?: string;
          until?: string;
          actor?: string;
          kind?: string;
          action?: string;
          name?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Change'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/outputs": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Output'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/outputs/{name}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Output'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    delete: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/outputs/{name}/refused": {
    get: {
      parameters: {
        query?: {
          limit?: string;
        };
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: {
                id: string;
                at: string;
                kind: string;
                reason: string;
              }[];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/outputs/{name}/test": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              taken: boolean;
              code: string | null;
              detail: string;
              milliseconds: number;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/outputs/{name}/retry": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              waiting: number;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/policies/validate": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            file: string;
            text: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              problems: {
                file: string;
                line: number;
                column: number;
                message: string;
              }[];
              rules: number;
              tests: number;
              version: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/policies/test": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            line: string;
            user?: string;
            groups?: string[];
            device?: string;
            tags?: string[];
            credential?: string;
            channel?: "shell" | "exec" | "sftp" | "scp" | "forward" | "agent" | "x11";
            context?: string;
            grammar?: "posix-shell" | "fish" | "csh" | "network-cli" | "sql" | "python";
            at?: string;
            draft?: {
              file: string;
              text: string;
            };
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['TriedLine'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/policies/backtest": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            since?: string;
            until?: string;
            user?: string;
            draft?: {
              file: string;
              text: string;
            };
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              commands: number;
              hits: number;
              byAction: Record<string, number>;
              byRule: {
                rule: string;
                hits: number;
                users: string[];
              }[];
              examples: {
                session: string | null;
                user: string;
                device: string;
                at: string;
                line: string;
                rule: string;
                action: string;
              }[];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/policies/analyse": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            line: string;
            grammar?: "posix-shell" | "fish" | "csh" | "network-cli" | "sql" | "python";
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              commands: {
                text: string;
                via: string[];
              }[];
              opaque: {
                text: string;
                why: string;
              }[];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/policies": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              version: string;
              rules: number;
              problems: {
                file: string;
                line: number;
                column: number;
                message: string;
              }[];
              items: components['schemas']['PolicyFile'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/policies/{file}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          file: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['PolicyFile'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    put: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          file: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            text: string;
            note?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['PolicyFile'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    delete: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          file: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/policies/{file}/versions": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
        };
        header?: never;
        path: {
          file: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['PolicyVersion'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/policies/{file}/versions/{id}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          file: string;
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              version: components['schemas']['PolicyVersion'];
              text: string;
              diff: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/policies/{file}/versions/{id}/restore": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          file: string;
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['PolicyFile'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sessions": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          since?: string;
          until?: string;
          user?: string;
          device?: string;
          credential?: string;
          session?: string;
          live?: "true" | "false";
          sort?: "started" | "risk" | "duration";
          order?: "desc" | "asc";
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Session'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/me/sessions": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          since?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Session'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sessions/{id}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Session'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sessions/{id}/hold": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            reason?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sessions/{id}/release": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            reason?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sessions/{id}/end": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            reason?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/refusals": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          since?: string;
          user?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Refusal'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/approvals": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Approval'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/approvals/{id}/approve": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/approvals/{id}/deny": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sessions/{id}/risk-curve": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              suspiciousFrom: number;
              items: components['schemas']['RiskPoint'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sessions/{id}/transfers": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Transfers'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/commands": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          since?: string;
          until?: string;
          user?: string;
          device?: string;
          credential?: string;
          session?: string;
          word?: string;
          outcome?: string;
          sort?: "at" | "points";
          order?: "newest-first" | "oldest-first";
          audited?: "true" | "false";
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['AuditedCommand'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/commands/{id}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['AuditedCommand'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/command-counts/{by}": {
    get: {
      parameters: {
        query?: {
          since?: string;
          until?: string;
          user?: string;
          device?: string;
          credential?: string;
          session?: string;
          word?: string;
          outcome?: string;
          limit?: string;
        };
        header?: never;
        path: {
          by: "command" | "device" | "credential" | "user" | "session";
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['CommandCount'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/recordings": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          since?: string;
          user?: string;
          device?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Recording'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/recordings/{id}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              recording: components['schemas']['Recording'];
              terminal: {
                columns: number;
                rows: number;
              };
              marks: {
                at: number;
                kind: string;
                label: string;
                channel: number;
                outcome: string | null;
              }[];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/recordings/{id}/events": {
    get: {
      parameters: {
        query?: {
          from?: string;
          channel?: string;
        };
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/x-ndjson": string;
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/recordings/{id}/verify": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              proved: boolean;
              findings: {
                kind: string;
                offset: number;
                end: number;
                text: string;
              }[];
              chunks: number;
              bytes: number;
              redactions: number;
              outcome: string | null;
              signedBy: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/recordings/{id}/export": {
    get: {
      parameters: {
        query?: {
          format?: "cast" | "cast2" | "text" | "commands" | "marks" | "sealed";
          channel?: string;
        };
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/octet-stream": string;
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/recording-search": {
    get: {
      parameters: {
        query: {
          q: string;
          kind?: "command" | "screen";
          user?: string;
          device?: string;
          credential?: string;
          since?: string;
          limit?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: {
                session: string;
                user: string;
                device: string;
                startedAt: string;
                second: number;
                kind: string;
                text: string;
              }[];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/live": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "text/event-stream": string;
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/sessions/{id}/watch": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/x-ndjson": string;
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/audit-queue": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          sort?: "submitted" | "score";
          order?: "desc" | "asc";
          state?: "open" | "audited";
          user?: string;
          since?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['AuditEntry'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/audit-queue/{id}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['AuditDetail'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/audit-queue/{id}/comments": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            comment: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['AuditDetail'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/audit-queue/{id}/audited": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            comment?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['AuditDetail'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/audit-queue/{id}/reopened": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            comment?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['AuditDetail'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/audit-queue/{id}/auditors": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            auditor: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['AuditDetail'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/default-auditors": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['DefaultAuditors'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
    put: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            names: string[];
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['DefaultAuditors'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/credential-views": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          since?: string;
          user?: string;
          credential?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['CredentialView'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/credentials/{name}/view": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            reason: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              view: string;
              account: string;
              device: string;
              password: string | null;
              privateKey: string | null;
              suspicious: boolean;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/exceptions": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          state?: "open" | "granted" | "declined";
          user?: string;
          since?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['ExceptionRequest'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/exceptions/{id}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['ExceptionRequest'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/exceptions/{id}/grant": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            comment: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['ExceptionRequest'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/exceptions/{id}/decline": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "If-Match"?: string;
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            comment: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['ExceptionRequest'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/findings": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          sort?: "time" | "score";
          order?: "desc" | "asc";
          since?: string;
          user?: string;
          signal?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Finding'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/findings/{id}/expected": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              status: string;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/threats": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          sort?: "time" | "score";
          order?: "desc" | "asc";
          since?: string;
          user?: string;
          status?: "new" | "under-review" | "escalated" | "pending-hr" | "expected" | "closed";
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['Threat'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/threats/{id}": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Investigation'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/threats/{id}/steps": {
    post: {
      parameters: {
        query?: never;
        header?: {
          "Idempotency-Key"?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: {
        content: {
          "application/json": {
            status?: "new" | "under-review" | "escalated" | "pending-hr" | "expected" | "closed";
            caseId?: string;
            assignee?: string;
            note?: string;
          };
        };
      };
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['Investigation'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/reports/behaviour": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "text/plain": string;
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/posture": {
    get: {
      parameters: {
        query?: {
          limit?: string;
          after?: string;
          since?: string;
          until?: string;
          sort?: "risk" | "sessions" | "suspicious" | "commands" | "blocked" | "findings" | "threats" | "views" | "rating" | "change";
          order?: "desc" | "asc";
          q?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              items: components['schemas']['UserPosture'][];
              next: string | null;
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/posture-series": {
    get: {
      parameters: {
        query?: {
          since?: string;
          until?: string;
          user?: string;
          bucket?: "hour" | "day" | "week";
          offset?: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              since: string;
              until: string;
              items: components['schemas']['PosturePoint'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/users/{name}/posture": {
    get: {
      parameters: {
        query?: {
          since?: string;
          until?: string;
        };
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": {
              since: string;
              until: string;
              posture: components['schemas']['UserPosture'];
              devices: components['schemas']['Use'][];
              credentials: components['schemas']['Use'][];
              origins: components['schemas']['Use'][];
            };
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/threats/{id}/graph": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['ConnectionGraph'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
  "/api/findings/{id}/graph": {
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: {
          headers: Record<string, string>;
          content: {
            "application/json": components['schemas']['ConnectionGraph'];
          };
        };
        default: {
          headers: Record<string, string>;
          content: { 'application/problem+json': components['schemas']['Problem'] };
        };
      };
    };
  };
}
