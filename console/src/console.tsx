// The frame round the pages: who is signed in, the way to each page, light or dark; or the sign-in when nobody is.
import {
  AppShell,
  Burger,
  Button,
  Group,
  Menu,
  NavLink,
  ScrollArea,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, type ReactNode, Suspense, useEffect } from 'react';
import { Link, Navigate, Route, Routes, useLocation } from 'react-router';
import { api } from './api/client.ts';
import { Overview } from './pages/overview.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { plainText } from './parts/text.tsx';
import { Told, Waiting } from './parts/told.tsx';
import { type Permission, useWho, type Who, WhoContext } from './who.ts';

const Sessions = lazy(() => import('./pages/sessions.tsx'));
const SessionPage = lazy(() => import('./pages/session.tsx'));
const Commands = lazy(() => import('./pages/commands.tsx'));
const Policies = lazy(() => import('./pages/policies.tsx'));
const Directory = lazy(() => import('./pages/directory.tsx'));
const Ratings = lazy(() => import('./pages/ratings.tsx'));
const UserRating = lazy(() => import('./pages/ratings.tsx').then((page) => ({ default: page.UserRating })));
const Postures = lazy(() => import('./pages/posture.tsx'));
const UserPosture = lazy(() => import('./pages/posture.tsx').then((page) => ({ default: page.UserPosture })));
const Behaviour = lazy(() => import('./pages/behaviour.tsx'));
const Reauthentications = lazy(() =>
  import('./pages/behaviour.tsx').then((page) => ({ default: page.Reauthentications })),
);
const AuditQueue = lazy(() => import('./pages/audit-queue.tsx'));
const CredentialViews = lazy(() =>
  import('./pages/audit-queue.tsx').then((page) => ({ default: page.CredentialViews })),
);
const Findings = lazy(() => import('./pages/findings.tsx'));
const ThreatPage = lazy(() => import('./pages/findings.tsx').then((page) => ({ default: page.ThreatPage })));
const Exceptions = lazy(() => import('./pages/exceptions.tsx'));
const Outputs = lazy(() => import('./pages/outputs.tsx'));
const Settings = lazy(() => import('./pages/settings.tsx'));
const Recordings = lazy(() => import('./pages/recordings.tsx'));
const Changes = lazy(() => import('./pages/changes.tsx'));
const Account = lazy(() => import('./pages/account.tsx'));
const Setup = lazy(() => import('./pages/setup.tsx'));

const PARTS = ['What happens', 'Behaviour', 'Audit', 'Rules and access', 'System'] as const;

interface Place {
  readonly path: string;
  readonly label: string;
  readonly part: (typeof PARTS)[number];
  readonly needs: Permission;
  readonly page: ReactNode;
}

const places: readonly Place[] = [
  { path: '/', label: 'Overview', part: 'What happens', needs: 'sessions.read', page: <Overview /> },
  { path: '/sessions', label: 'Sessions', part: 'What happens', needs: 'sessions.read', page: <Sessions /> },
  {
    path: '/commands',
    label: 'Audited commands',
    part: 'What happens',
    needs: 'commands.read',
    page: <Commands />,
  },
  {
    path: '/recordings',
    label: 'Recordings',
    part: 'What happens',
    needs: 'recordings.read',
    page: <Recordings />,
  },
  { path: '/ratings', label: 'Users rating', part: 'Behaviour', needs: 'ratings.read', page: <Ratings /> },
  { path: '/posture', label: 'User posture', part: 'Behaviour', needs: 'ratings.read', page: <Postures /> },
  {
    path: '/behaviour',
    label: 'Behaviour analysis',
    part: 'Behaviour',
    needs: 'ratings.read',
    page: <Behaviour />,
  },
  {
    path: '/reauthentications',
    label: 'Re-authentications',
    part: 'Behaviour',
    needs: 'ratings.read',
    page: <Reauthentications />,
  },
  { path: '/findings', label: 'Findings', part: 'Behaviour', needs: 'findings.read', page: <Findings /> },
  { path: '/audit-queue', label: 'Audit queue', part: 'Audit', needs: 'findings.read', page: <AuditQueue /> },
  {
    path: '/credential-views',
    label: 'Credential views',
    part: 'Audit',
    needs: 'findings.read',
    page: <CredentialViews />,
  },
  { path: '/changes', label: 'Trail', part: 'Audit', needs: 'changes.read', page: <Changes /> },
  {
    path: '/exceptions',
    label: 'Exception requests',
    part: 'Rules and access',
    needs: 'commands.read',
    page: <Exceptions />,
  },
  {
    path: '/policies',
    label: 'Policies',
    part: 'Rules and access',
    needs: 'policies.read',
    page: <Policies />,
  },
  {
    path: '/grants',
    label: 'Grants',
    part: 'Rules and access',
    needs: 'directory.read',
    page: <Directory kind="grants" />,
  },
  {
    path: '/devices',
    label: 'Devices',
    part: 'Rules and access',
    needs: 'directory.read',
    page: <Directory kind="devices" />,
  },
  {
    path: '/credentials',
    label: 'Credentials',
    part: 'Rules and access',
    needs: 'directory.read',
    page: <Directory kind="credentials" />,
  },
  {
    path: '/users',
    label: 'Users',
    part: 'Rules and access',
    needs: 'directory.read',
    page: <Directory kind="users" />,
  },
  { path: '/outputs', label: 'SIEM outputs', part: 'System', needs: 'settings.read', page: <Outputs /> },
  { path: '/settings', label: 'Settings', part: 'System', needs: 'settings.read', page: <Settings /> },
];

const titleOf = (pathname: string): string => {
  if (pathname === '/account') return 'Your account';
  if (/^\/sessions\/./.test(pathname)) return 'Session';
  if (/^\/ratings\/./.test(pathname)) return 'Rating';
  if (/^\/posture\/./.test(pathname)) return 'Posture';
  if (/^\/findings\/./.test(pathname)) return 'Threat';
  return places.find(({ path }) => path === pathname)?.label ?? '';
};

const Scheme = () => {
  const { setColorScheme } = useMantineColorScheme();
  const now = useComputedColorScheme('light');
  return (
    <Button variant="subtle" size="xs" onClick={() => setColorScheme(now === 'dark' ? 'light' : 'dark')}>
      {now === 'dark' ? 'Light' : 'Dark'}
    </Button>
  );
};

const Frame = ({ who }: { readonly who: Who }) => {
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  const queries = useQueryClient();
  const mine = places.filter(({ needs }) => who.permissions.includes(needs));
  const title = titleOf(pathname);
  useEffect(() => {
    document.title = title === '' ? 'Sallyport' : `${title} · Sallyport`;
  }, [title]);
  const signOut = async (): Promise<void> => {
    await api.POST('/api/sign-out');
    // Who waits for `me` must hear of it, so that the pages go; then nothing of what they read stays.
    queries.setQueryData(['me'], null);
    queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'me' });
    queries.getMutationCache().clear();
  };
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 210, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding="md"
    >
      <a className="skip" href="#content">
        To the content
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between">
          <Group gap="sm">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Pages" />
            <Text fw={700}>Sallyport</Text>
          </Group>
          <Group gap="xs">
            <Scheme />
            <Menu>
              <Menu.Target>
                <Button variant="subtle" size="xs">
                  {plainText(who.name)}
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Label>{who.roles.join(', ')}</Menu.Label>
                <Menu.Item component={Link} to="/account">
                  Account, passkeys and tokens
                </Menu.Item>
                <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        <ScrollArea type="auto">
          {PARTS.map((part) => {
            const pages = mine.filter((place) => place.part === part);
            return pages.length === 0 ? null : (
              <div key={part}>
                <Text size="xs" c="dimmed" fw={600} px="sm" pt="xs" pb={2}>
                  {part}
                </Text>
                {pages.map(({ path, label }) => (
                  <NavLink
                    key={path}
                    component={Link}
                    to={path}
                    label={label}
                    py={3}
                    onClick={close}
                    active={pathname === path || (path !== '/' && pathname.startsWith(`${path}/`))}
                    aria-current={pathname === path ? 'page' : undefined}
                  />
                ))}
              </div>
            );
          })}
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <Suspense fallback={<Waiting />}>
          <Routes>
            {mine.map(({ path, page }) => (
              <Route key={path} path={path} element={page} />
            ))}
            {who.permissions.includes('sessions.read') ? (
              <Route path="/sessions/:id" element={<SessionPage />} />
            ) : null}
            {who.permissions.includes('ratings.read') ? (
              <>
                <Route path="/ratings/:name" element={<UserRating />} />
                <Route path="/posture/:name" element={<UserPosture />} />
              </>
            ) : null}
            {who.permissions.includes('findings.read') ? (
              <Route path="/findings/:id" element={<ThreatPage />} />
            ) : null}
            <Route path="/account" element={<Account />} />
            <Route path="*" element={<Navigate to={mine[0]?.path ?? '/account'} replace />} />
          </Routes>
        </Suspense>
      </AppShell.Main>
    </AppShell>
  );
};

export const Console = () => {
  const who = useWho();
  const { pathname } = useLocation();
  if (pathname === '/setup')
    return (
      <Suspense fallback={<Waiting />}>
        <Setup />
      </Suspense>
    );
  if (who.isPending) return <Waiting />;
  if (who.data === undefined) return <Told error={who.error} />;
  if (who.data === null) return <SignIn />;
  return (
    <WhoContext value={who.data}>
      <Frame who={who.data} />
    </WhoContext>
  );
};
