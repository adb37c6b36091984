import type { Rollout } from './peer.js';

/** The files of a Capistrano project, by path. */
export type Project = Readonly<Record<string, string>>;

/**
 * A rolling deploy as somebody who knows Capistrano would write it: its own flow, with a plugin that takes the release from
 * an archive instead of a repository, and a restart that goes from server to server, out of the web tier's upstream and
 * back into it. The waits are single commands on the hosts.
 */
export function capistranoProject({ web, app, ...rollout }: Rollout): Project {
  const { user, keyFile, proxyCommand, artifact, psgi, keepReleases, upstreamFile } = rollout;
  const servers = app.map(
    ({ address, upstream }) =>
      `server ${ruby(address)}, roles: %w[app], upstream: ${ruby(upstream)}, ssh_options: { proxy: door }`,
  );
  return {
    Capfile: `require 'capistrano/setup'
require 'capistrano/deploy'
require_relative 'lib/archive'
install_plugin Archive
`,
    'lib/archive.rb': ARCHIVE,
    'config/deploy.rb': `require 'shellwords'

set :application, 'shop'
set :deploy_to, '/srv/shop'
set :archive, ${ruby(artifact)}
set :psgi, ${ruby(psgi)}
set :keep_releases, ${keepReleases}
set :upstream_file, ${ruby(upstreamFile)}
set :ssh_options, user: ${ruby(user)}, keys: [${ruby(keyFile)}], auth_methods: %w[publickey], verify_host_key: :never
# Else connections that wait for their turn are closed and made again.
SSHKit::Backend::Netssh.pool.idle_timeout = 600
${RESTART}`,
    'config/deploy/production.rb': `require 'net/ssh/proxy/command'
door = Net::SSH::Proxy::Command.new(${ruby(proxyCommand)})
server ${ruby(web.address)}, port: ${web.port}, roles: %w[web], no_release: true
${servers.join('\n')}
`,
  };
}

const ARCHIVE = `require 'capistrano/scm/plugin'

class Archive < Capistrano::SCM::Plugin
  def register_hooks
    after 'deploy:new_release_path', 'archive:create_release'
    before 'deploy:set_current_revision', 'archive:set_current_revision'
  end

  def define_tasks
    namespace :archive do
      task :create_release do
        on release_roles(:all) do
          execute :mkdir, '-p', release_path
          upload! fetch(:archive), "#{release_path}.tar.gz"
          execute :tar, '-xzf', "#{release_path}.tar.gz", '-C', release_path
          execute :rm, "#{release_path}.tar.gz"
        end
      end

      task :set_current_revision do
        set :current_revision, File.basename(fetch(:archive))
      end
    end
  end
end
`;

const RESTART = String.raw`
# All that sudo lets this user do.
def as_root(script)
  execute :sudo, '/usr/bin/sh', '-c', script.shellescape
end

namespace :deploy do
  task :compile do
    on primary(:app) do
      within(release_path) { execute :perl, '-c', fetch(:psgi) }
    end
  end
  before 'deploy:publishing', 'deploy:compile'

  task :restart do
    file = fetch(:upstream_file)
    roles(:app).each do |server|
      pattern = "server #{server.properties.upstream.gsub('.', '\\.')} "
      on roles(:web) do
        as_root "sed -i '/#{pattern}/s/;$/ down;/' #{file} && systemctl reload nginx"
      end
      on server do
        release = File.basename(release_path)
        as_root 'bench-phase drain bench-drained'
        as_root "bench-phase boot bench-restart #{release}"
        as_root "bench-phase gate bench-gate #{release}"
      end
      on roles(:web) do
        as_root "sed -i '/#{pattern}/s/ down;$/;/' #{file} && systemctl reload nginx"
      end
    end
  end
  after 'deploy:publishing', 'deploy:restart'
end
`;

/** A Ruby string that nothing is put into. */
export const ruby = (text: string): string => `'${text.replace(/[\\']/g, String.raw`\$&`)}'`;
