import type { Route } from './router.js';
import { timestamp } from './model.js';
import { userView } from './views.js';

export const userRoutes: readonly Route[] = [
  {
    operation: 'GET /user',
    permissions: [],
    handle: ({ base, token: { account } }) => {
      const since = timestamp(new Date(0));
      const unsaid = ['name', 'company', 'blog', 'location', 'email', 'hireable', 'bio'].map((key) => [
        key,
        null,
      ]);
      const counts = ['public_repos', 'public_gists', 'followers', 'following'].map((key) => [key, 0]);
      const more = Object.fromEntries([...unsaid, ...counts]) as Record<string, unknown>;
      const body = {
        ...userView(base, account),
        ...more,
        user_view_type: 'public',
        created_at: since,
        updated_at: since,
      };
      return { status: 200, body };
    },
  },
];
