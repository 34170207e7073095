// Who is signed in here, and what they may do: pages show what the API would allow, the API decides.
import { useQuery } from '@tanstack/react-query';
import { createContext, useContext } from 'react';
import { api, Refused, type Shapes, taken } from './api/client.ts';

export type Who = Shapes['Who'];
export type Permission = Who['permissions'][number];

export const useWho = () =>
  useQuery({
    queryKey: ['me'],
    queryFn: async (): Promise<Who | null> => {
      try {
        return await taken(api.GET('/api/me'));
      } catch (error) {
        if (error instanceof Refused && error.problem.status === 401) return null;
        throw error;
      }
    },
    staleTime: 60_000,
  });

export const WhoContext = createContext<Who>({ name: '', roles: [], permissions: [] });

export const useMay = (): ((permission: Permission) => boolean) => {
  const { permissions } = useContext(WhoContext);
  return (permission) => permissions.includes(permission);
};
