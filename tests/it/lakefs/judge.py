"""Judges the stand-in for lakeFS by lakeFS's own client, and its gateway by boto3. Writes to `locked/` meet a locked branch."""

import sys

import boto3
import lakefs
from botocore.config import Config
from botocore.exceptions import ClientError
from lakefs import exceptions as wrong

url, key, secret = sys.argv[1:]


def raises(kind, call, status=None):
    try:
        call()
    except kind as error:
        assert type(error) is kind, repr(error)
        assert status is None or error.status_code == status, error
        return error
    raise SystemExit(f"no {kind.__name__}")


def says(code, status, call):
    try:
        call()
    except ClientError as error:
        said = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert said == (code, status), said
        return
    raise SystemExit(f"no {code}")


client = lakefs.Client(host=url, username=key, password=secret)
stranger = lakefs.Client(host=url, username=key, password="another")
raises(wrong.NotAuthorizedException, lambda: lakefs.Repository("judged", client=stranger).properties, 401)

# Repositories and branches.
repository = lakefs.Repository("judged", client=client)
raises(wrong.NotFoundException, lambda: repository.properties, 404)
repository.create(storage_namespace="s3://judged")
assert (repository.properties.id, repository.properties.default_branch) == ("judged", "main")
raises(wrong.ConflictException, lambda: lakefs.Repository("judged", client=client).create("s3://judged"), 409)
lakefs.Repository("judged", client=client).create("s3://judged", exist_ok=True)
main = repository.branch("main")

# Objects: written once, read whole and in pieces.
note = main.object("notes/ä b.md").upload(b"a note", mode="xb", content_type="text/markdown", metadata={"by": "judge"})
raises(wrong.ObjectExistsException, lambda: main.object("notes/ä b.md").upload(b"other", mode="xb"))
assert note.exists() and not main.object("notes/none").exists()
assert note.reader().read() == b"a note"
with note.reader() as reader:
    assert reader.read(2) == b"a " and reader.read() == b"note"
    reader.seek(100)
    assert reader.read() == b""
stat = note.stat()
assert (stat.path, stat.size_bytes, stat.content_type, stat.metadata) == ("notes/ä b.md", 6, "text/markdown", {"by": "judge"}), stat
raises(wrong.ObjectNotFoundException, lambda: main.object("notes/none").stat(), 404)
raises(wrong.ObjectNotFoundException, lambda: main.object("notes/none").reader().read(), 404)
raises(wrong.NotFoundException, lambda: repository.branch("none").object("x").upload(b"x"), 404)
main.object("notes/ä b.md").upload(b"a new note", mode="wb")
assert note.reader().read() == b"a new note"
form = client.sdk_client.objects_api.upload_object("judged", "main", "form.bin", content=b"--\r\n\x00 a form")
assert form.size_bytes == 12 and main.object("form.bin").reader().read() == b"--\r\n\x00 a form"
for condition in [{"if_match": stat.checksum}, {"if_none_match": stat.checksum}]:
    try:
        client.sdk_client.objects_api.upload_object("judged", "main", "form.bin", content=b"x", **condition)
        raise SystemExit("a condition was taken")
    except Exception as error:
        assert error.status == 501, error

# Listings, in pages and by folder.
for number in range(5):
    main.object(f"many/{number}").upload(str(number))
assert [it.path for it in main.objects(prefix="many/", amount=2)] == [f"many/{it}" for it in range(5)]
assert [it.path for it in main.objects(prefix="many/", max_amount=3, after="many/0")] == ["many/1", "many/2", "many/3"]
top = [(type(it).__name__, it.path) for it in main.objects(delimiter="/", amount=1)]
assert top == [("ObjectInfo", "form.bin"), ("CommonPrefix", "many/"), ("CommonPrefix", "notes/")], top

# Commits, and a branch of one.
first = main.commit("all of it", metadata={"run": "1"})
assert (first.get_commit().message, first.get_commit().metadata) == ("all of it", {"run": "1"})
error = raises(wrong.BadRequestException, lambda: main.commit("nothing"), 400)
assert error.body == {"message": "commit: no changes"}, error.body
assert main.head.id == first.id and [it.message for it in main.log()] == ["all of it", "Repository created"]
assert first.object("many/3").reader().read() == b"3"
work = repository.branch("work").create("main")
raises(wrong.ConflictException, lambda: repository.branch("work").create("main"), 409)
raises(wrong.NotFoundException, lambda: repository.branch("other").create("none"), 404)
assert [it.id for it in repository.branches(amount=1)] == ["main", "work"]
raises(wrong.BadRequestException, lambda: work.commit("nothing"), 400)
work.object("many/3").delete()
work.delete_objects(["many/0", "many/1"])
assert [it.path for it in work.objects(prefix="many/")] == ["many/2", "many/4"]
assert len(list(main.objects(prefix="many/"))) == 5 and len(list(first.objects(prefix="many/"))) == 5
main.object("many/4").delete()
raises(wrong.ServerException, lambda: first.object("many/4").reader().read(), 410)
raises(wrong.ServerException, lambda: main.object("locked/x").upload(b"x", mode="xb"), 500)
assert "branch is currently locked" in main.delete_objects(["locked/x"]).errors[0].message

# The same by S3.
s3 = boto3.client("s3", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, region_name="us-east-1",
                  config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))
of = lambda key: {"Bucket": "judged", "Key": key}
assert s3.get_object(**of("main/notes/ä b.md"))["Body"].read() == b"a new note"
listed = s3.list_objects_v2(Bucket="judged")
assert [it["Prefix"] for it in listed["CommonPrefixes"]] == ["main/", "work/"] and "Contents" not in listed, listed
assert [it["Key"] for it in s3.list_objects_v2(Bucket="judged", Prefix="work/many/")["Contents"]] == ["work/many/2", "work/many/4"]
assert "Contents" not in s3.list_objects_v2(Bucket="judged", Prefix="none/")
s3.put_object(**of("main/s3"), Body=b"one", IfNoneMatch="*", Metadata={"mark": "m"})
says("PreconditionFailed", 412, lambda: s3.put_object(**of("main/s3"), Body=b"two", IfNoneMatch="*"))
for condition in [{"IfMatch": '"x"'}, {"IfNoneMatch": '"x"'}]:
    says("NotImplemented", 501, lambda: s3.put_object(**of("main/s3"), Body=b"two", **condition))
assert main.object("s3").reader().read() == b"one" and main.object("s3").stat().metadata == {"mark": "m"}
says("NoSuchBucket", 404, lambda: s3.put_object(**of("none/x"), Body=b"x"))
says("NoSuchBucket", 404, lambda: s3.put_object(**of(f"{first.id}/x"), Body=b"x"))
says("NoSuchKey", 404, lambda: s3.get_object(**of("none/x")))
says("NoSuchBucket", 404, lambda: s3.list_objects_v2(Bucket="none"))
says("SignatureDoesNotMatch", 403, lambda: boto3.client(
    "s3", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key="another", region_name="us-east-1",
    config=Config(s3={"addressing_style": "path"})).put_object(**of("main/x"), Body=b"x"))
for call in [lambda: s3.put_object_tagging(**of("main/s3"), Tagging={"TagSet": []}), lambda: s3.get_bucket_policy(Bucket="judged"),
             lambda: s3.get_bucket_acl(Bucket="judged"), lambda: s3.get_bucket_cors(Bucket="judged"),
             lambda: s3.get_bucket_lifecycle_configuration(Bucket="judged")]:
    says("ERRLakeFSNotSupported", 405, call)
assert "Status" not in s3.get_bucket_versioning(Bucket="judged")
says("BucketAlreadyExists", 409, lambda: s3.create_bucket(Bucket="judged"))
says("InternalError", 500, lambda: s3.put_object(**of("main/locked/x"), Body=b"x"))
many = lambda *keys: s3.delete_objects(Bucket="judged", Delete={"Objects": [{"Key": it} for it in keys]})
refused = many("main/locked/x", "main/locked/y")
assert "Deleted" not in refused and [it["Key"] for it in refused["Errors"]] == ["main/locked/x", "main/locked/y"], refused
assert "branch is currently locked" in refused["Errors"][0]["Message"], refused
assert [it["Key"] for it in many("main/s3")["Deleted"]] == ["main/s3"] and not main.object("s3").exists()
upload = s3.create_multipart_upload(**of("work/parts"))["UploadId"]
part = s3.upload_part(**of("work/parts"), UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
whole = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part}]}, "UploadId": upload}
says("NotImplemented", 501, lambda: s3.complete_multipart_upload(**of("work/parts"), **whole, IfMatch='"x"'))
work.object("parts").upload(b"somebody else's", mode="xb")
says("PreconditionFailed", 412, lambda: s3.complete_multipart_upload(**of("work/parts"), **whole, IfNoneMatch="*"))
assert work.object("parts").reader().read() == b"somebody else's"
print("judged")
