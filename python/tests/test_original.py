# -*- coding: utf-8 -*-
"""Every example of the original's README, unchanged. (Its basic one uses RWSharedMMap without
importing it; that line is added here.)"""

import io
import os
import threading

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare

BASIC = """
import io_shared
from io_shared import UnsafeSharedMMap, SharedMMap, FastSharedMMap

# --- UnsafeSharedMMap
data = b'Hello, World!!!'
shm = UnsafeSharedMMap('/my_share', 15)
shm.write(data)
shm.seek(0)
print(shm.readline())  # 'Hello, World!!!\\n'
shm.close()

# --- SharedMMap
data = b'Hello, World!!!'
shm = SharedMMap('/my_share', 15)
try:
    shm.write(data)
except io_shared.WriteAccessError as e:
    print('Oops')
with shm.lock():
    shm.write(data)

shm.seek(0)  # безопасно, так как у каждого процесса свой указатель позиции

try:
    print(shm.readline())
except io_shared.ReadAccessError as e:
    print('Oops')
with shm.lock():
    print(shm.readline())  # 'Hello, World!!!\\n'

# --- RWSharedMMap
data = b'Hello, World!!!'
shm = RWSharedMMap('/my_share', 15)
with shm.lock_write():
    shm.write(data)

shm.seek(0)

with shm.lock_read():
    print(shm.readline())  # 'Hello, World!!!\\n'
"""

SAVING = """
import numpy as np
from io_shared import RWSharedMMap

arr = np.array([1, 2, 3], dtype=np.float32)

shm = RWSharedMMap('/my_share', '1M')

shm.seek(0)
with shm.lock_write():
    np.save(shm, arr)
# для сравнения, сохранение в обычный файл выглядит так
#  np.save('arr.np', arr)
# или так
#  with open('arr.np', 'wb') as f:
#      np.save(f, arr)

shm.seek(0)
with shm.lock_read():
    arr2 = np.load(shm)
# для сравнения, чтение из обычного файла выглядит так
#  arr2 = np.load('arr.np')
# или так
#  with open('arr.np', 'rb') as f:
#      arr2 = np.load(f)
"""

NODE = """
cloud_share = NumpyShare('/cloud_share', '5M', 'put')
label_share = NumpyShare('/label_share', '5M', 'get')

# callback
cloud = msg_to_cloud(msg_cloud)
cloud_share.put(cloud)  # данные кладутся в общую память, устанавливается флаг
label = label_share.get()  # ожидание установки флага, получение данных
msg_label = label_to_msg(label)
pub.publish(msg_label)
"""

SEGMENTATOR = """
cloud_share = NumpyShare('/cloud_share', '5M', 'get')
label_share = NumpyShare('/label_share', '5M', 'put')


# вместо загрузки данных с диска
cloud = cloud_share.get()  # ожидание установки флага, получение данных
# label = model(cloud)
label_share.put(label)  # данные кладутся в общую память, устанавливается флаг
"""


@pytest.fixture(autouse=True)
def removed():
    yield
    for name in ("/my_share", "/cloud_share", "/label_share"):
        try:
            io_shared.remove(name)
        except io_shared.NotFound:
            pass


def run(example, **names):
    exec(compile("# -*- coding: utf-8 -*-\n" + example, "README", "exec"), names)
    return names


@pytest.mark.parametrize("times", [1, 2])
def test_the_basic_example_prints_what_it_says(capsys, times):
    for _ in range(times):
        run("from io_shared import RWSharedMMap" + BASIC)
        hello = str(b"Hello, World!!!")
        assert capsys.readouterr().out.splitlines() == [hello, "Oops", "Oops", hello, hello]


def test_the_example_of_saving_and_loading_an_array_works_after_the_basic_one(capsys):
    names = run("from io_shared import RWSharedMMap" + BASIC)
    names = run(SAVING, **{"kept": names["shm"]})
    assert names["arr2"].dtype == np.float32
    assert names["arr2"].tolist() == [1, 2, 3]


def test_the_node_and_the_segmentator_work_together():
    published = []

    class Pub(object):
        publish = published.append

    cloud = np.random.RandomState(1).rand(1000, 4).astype(np.float32)
    label = np.arange(1000, dtype=np.uint32)
    node = threading.Thread(
        target=run,
        args=(NODE,),
        kwargs=dict(
            NumpyShare=NumpyShare,
            msg_to_cloud=lambda message: message,
            msg_cloud=cloud,
            label_to_msg=lambda label: label,
            pub=Pub,
        ),
    )
    node.start()
    names = run(SEGMENTATOR, NumpyShare=NumpyShare, label=label)
    node.join()
    assert np.array_equal(names["cloud"], cloud)
    assert np.array_equal(published[0], label)
    names["cloud"][0] = 0  # one's own, and writable


def test_the_wrong_side_raises_as_the_original_does():
    with NumpyShare("/cloud_share", "5M", "put") as put:
        with pytest.raises(io_shared.WriteAccessError):
            put.get()
    with NumpyShare("/cloud_share", "5M", "get") as get:
        with pytest.raises(io_shared.WriteAccessError):
            get.put(np.zeros(3))
    with pytest.raises(ValueError):
        NumpyShare("/cloud_share", "5M", "both")


def test_the_three_errors_have_default_messages():
    for error in (io_shared.OOMError, io_shared.WriteAccessError, io_shared.ReadAccessError):
        assert issubclass(error, io_shared.Error)
        assert str(error())


def test_what_the_original_left_is_no_channel_and_read_as_shared_bytes():
    # Its array at the start of the memory, and its semaphores.
    array = np.arange(6, dtype="<f4").reshape(2, 3)
    files = {"my_share": b"", "sem.my_share": b"\0" * 32, "sem.my_share_np": b"\1" + b"\0" * 31}
    saved = io.BytesIO()
    np.save(saved, array)
    files["my_share"] = saved.getvalue() + b"\0" * 1000
    try:
        for file, content in files.items():
            with open("/dev/shm/" + file, "wb") as out:
                out.write(content)
        for open_ in (
            lambda: NumpyShare("/my_share", "1M", "put"),
            lambda: NumpyShare("/my_share", "1M", "get"),
            lambda: io_shared.open("/my_share", open_timeout=0),
        ):
            with pytest.raises(io_shared.Error) as error:
                open_()
            assert "/my_share" in str(error.value)
        shm = io_shared.RWSharedMMap("/my_share", len(files["my_share"]))
        with shm.lock_read():
            assert np.array_equal(np.load(shm), array)
        for file, content in files.items():
            with open("/dev/shm/" + file, "rb") as found:
                assert found.read() == content
    finally:
        for file in files:
            os.remove("/dev/shm/" + file)
        with open("/dev/shm/my_share", "wb"):
            pass  # so that it is removed with its lock
