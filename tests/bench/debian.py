"""A Debian root with programs for the workload table, made without installing anything: packages are downloaded by
apt-get, unpacked, and put into an ext4 image, which a guest mounts read-only."""
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent / 'programs'
PACKAGES = ('gcc', 'libc6-dev', 'python3', 'openssl', 'xz-utils', 'sqlite3', 'git', 'busybox-static')
LEAVE_OUT = ('usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info', 'usr/share/perl', 'var', 'boot')
CC1 = '/usr/lib/gcc/x86_64-linux-gnu/12/cc1'
ENV = 'LC_ALL=C PATH=/usr/bin:/bin HOME=/tmp PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 GIT_PAGER=cat'
# Each a command of the root's shell; what it prints must be the same everywhere.
PROGRAMS = {
    'gcc': 'gcc -O2 -S -o - /bench/generated.c',
    'python3': 'python3 /bench/objects.py',
    'openssl': 'for c in sha256 sha512 md5; do openssl dgst -$c </bench/inserts.sql; done; '
               'for i in 1 2 3 4 5 6 7 8; do openssl enc -aes-256-cbc -K 00 -iv 00 2>/dev/null </bench/inserts.sql; '
               'openssl enc -chacha20 -K 00 -iv 00 2>/dev/null </bench/inserts.sql; done; '
               'for i in 1 2 3 4 5; do openssl dgst -sha256 -sign /bench/key.pem </bench/objects.py; done',
    'xz': '/usr/bin/xz -T1 -6 -c /bench/words.txt | /usr/bin/xz -dc',
    'sqlite3': 'sqlite3 /tmp/db </bench/inserts.sql; rm /tmp/db',
    'git': 'cp -r /bench/repository /tmp/; cd /tmp/repository; git log -p; git grep -c weight HEAD~30; git diff HEAD~40; '
           'git checkout -q HEAD~20; git gc -q; git fsck; git count-objects -v; cd /; rm -rf /tmp/repository',
}


class Missing(Exception):
    pass


def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    if done.returncode:
        raise Missing(f'{" ".join(argv[:3])} ... failed: {done.stderr.strip()[-400:]}')
    return done.stdout


def closure(empty):
    """(package=version, file) of all that PACKAGES need on a system that has nothing."""
    lines = run('apt-get', '-qq', '-o', f'Dir::State::status={empty}/status', '-o', f'Dir::Cache::archives={empty}',
                '-o', 'Debug::NoLocking=1', '--no-install-recommends', '--print-uris', 'install', *PACKAGES).splitlines()
    for line in lines:
        name = line.split()[1]
        package, version, _ = name.rsplit('.', 1)[0].split('_')
        yield f'{package}={version.replace("%3a", ":")}', name


def unpack(folder, root):
    empty, debs = folder / 'empty', folder / 'debs'
    (empty / 'partial').mkdir(parents=True, exist_ok=True)
    (empty / 'status').write_text('')
    debs.mkdir(exist_ok=True)
    for package, name in closure(empty):
        if not (debs / name).exists():
            run('apt-get', 'download', '-qq', package, cwd=debs)
        run('dpkg-deb', '-x', str(debs / name), str(root))
    for path in LEAVE_OUT:
        shutil.rmtree(root / path, ignore_errors=True)
    for path in ('proc', 'dev', 'tmp', 'bench'):
        (root / path).mkdir(exist_ok=True)
    (root / 'bin/sh').unlink(missing_ok=True)
    (root / 'bin/sh').symlink_to('busybox')
    for applet in ('cp', 'rm', 'env'):
        if not (root / 'bin' / applet).exists():
            (root / 'bin' / applet).symlink_to('busybox')
    (root / 'tmp').chmod(0o1777)


def make(folder):
    """The root folder and its image under @folder, made unless they are up to date."""
    root, image, stamp = folder / 'root', folder / 'root.img', folder / 'stamp'
    want = ''.join(p.read_text() for p in (*sorted(HERE.iterdir()), Path(__file__)) if p.is_file())
    if stamp.exists() and image.exists() and stamp.read_text() == want:
        return root, image
    for tool in ('apt-get', 'dpkg-deb', 'mkfs.ext4', 'git', 'openssl'):
        if not shutil.which(tool, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin'):
            raise Missing(f'the rows of real programs need {tool}')
    print('Building a Debian root of real programs ...', flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    unpack(folder, root)
    run('python3', str(HERE / 'generate.py'), str(root / 'bench'))
    shutil.copy(HERE / 'objects.py', root / 'bench')
    for name, text in PROGRAMS.items():
        (root / 'bench' / f'{name}.sh').write_text(f'export {ENV}\n{text}\n')
    run('openssl', 'genrsa', '-out', str(root / 'bench/key.pem'), '2048')
    image.unlink(missing_ok=True)
    size = int(run('du', '-sm', str(root)).split()[0])
    run('mkfs.ext4', '-q', '-d', str(root), '-E', 'root_owner=0:0', '-O', '^has_journal', str(image), f'{size * 5 // 4 + 32}M',
        env=dict(os.environ, PATH=os.environ.get('PATH', '') + ':/usr/sbin:/sbin'))
    stamp.write_text(want)
    return root, image


def rows_in(root, names):
    """A line of shell that runs programs as rows in the root, by the workload program in its /tmp."""
    return f'for r in {" ".join(names)}; do chroot {root} /tmp/workloads run $r /bin/sh /bench/$r.sh || exit 1; done'


def guest_script(names):
    """Script of the test guest that has the image as its first virtio disk."""
    return '\n'.join(('mkdir /debian', 'mount -t ext4 -o ro /dev/vda /debian || exit 1', 'mount -t tmpfs tmp /debian/tmp',
                      'mount -o bind /dev /debian/dev', 'mount -t proc proc /debian/proc', 'cp /workloads /debian/tmp/',
                      rows_in('/debian', names)))


def native_argv(root, names, binary):
    """The same here, in a mount namespace of its own (as its root, for a user who is none)."""
    script = (f'mount --rbind /dev {root}/dev && mount -t tmpfs tmp {root}/tmp && cp {binary} {root}/tmp/workloads && '
              + rows_in(root, names))
    return ['unshare', '--mount', *([] if os.geteuid() == 0 else ['--map-root-user']), 'sh', '-c', script]
