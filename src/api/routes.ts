// Every route of the API, in the order in which they are described. Literal paths come before those with a name in them.
import type { ApiParts } from './parts.ts';
import type { Route } from './route.ts';
import { auditQueueRoutes } from './routes/audit-queue.ts';
import { commandRoutes } from './routes/commands.ts';
import { directoryRoutes } from './routes/directory.ts';
import { exceptionRoutes } from './routes/exceptions.ts';
import { findingRoutes } from './routes/findings.ts';
import { liveRoutes } from './routes/live.ts';
import { outputRoutes } from './routes/outputs.ts';
import { passkeyRoutes } from './routes/passkeys.ts';
import { policyRoutes } from './routes/policies.ts';
import { postureAndGraphRoutes } from './routes/posture.ts';
import { ratingsRoutes } from './routes/ratings.ts';
import { recordingRoutes } from './routes/recordings.ts';
import { rotationRoutes } from './routes/rotations.ts';
import { sessionCourseRoutes } from './routes/session-course.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { settingRoutes } from './routes/settings.ts';
import { accessRoutes } from './routes/sign-in.ts';
import { systemRoutes } from './routes/system.ts';
import { watchRoutes } from './routes/watch.ts';

export const routesOf = (parts: ApiParts): readonly Route[] => [
  ...systemRoutes(parts),
  ...accessRoutes(parts),
  ...passkeyRoutes(parts),
  ...directoryRoutes(parts),
  ...rotationRoutes(parts),
  ...ratingsRoutes(parts),
  ...settingRoutes(parts),
  ...outputRoutes(parts),
  ...policyRoutes(parts),
  ...sessionRoutes(parts),
  ...sessionCourseRoutes(parts),
  ...commandRoutes(parts),
  ...recordingRoutes(parts),
  ...liveRoutes(parts),
  ...watchRoutes(parts),
  ...auditQueueRoutes(parts),
  ...exceptionRoutes(parts),
  ...findingRoutes(parts),
  ...postureAndGraphRoutes(parts),
];
