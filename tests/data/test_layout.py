"""The layouts of public data sets, each with what must come of it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.file_tree import Entry, Listing
from pellucid.data.layout import Layout, arrange
from pellucid.errors import DataError


def files(text: str) -> list[Entry]:
    """Return entries from lines as ``part/{a,b}/{1..3}.png``; sizes differ from path to path."""
    paths = []
    for line in text.split():
        stack = [line]
        while stack:
            one = stack.pop()
            match = re.search(r"\{([^{}]*)\}", one)
            if match is None:
                paths.append(one)
                continue
            inner = match[1]
            span = re.fullmatch(r"(\d+)\.\.(\d+)", inner)
            names = range(int(span[1]), int(span[2]) + 1) if span else inner.split(",")
            stack += [f"{one[: match.start()]}{n}{one[match.end() :]}" for n in names]
    return [Entry(path.replace("~", " "), _size(path), 0) for path in sorted(paths)]


def _size(path: str) -> int:
    return 1000 + sum(ord(c) * (k + 1) for k, c in enumerate(path.split("/")[-1]))


def laid_out(text: str, *folders: str, **options: bool) -> Layout:
    return arrange(Listing(files(text), folders), "x", **options)


@dataclass
class Case:
    """A layout: what it holds, and either what comes of it or the words of the refusal."""

    name: str
    text: str
    classes: str = ""
    train: str = ""  # folders whose images are those of the part
    test: str = ""
    refused: str = ""
    notes: list[str] = field(default_factory=list)


CASES = [
    # One folder a class.
    Case("plain", "{cat,dog}/{1..3}.png", "cat dog", "cat dog"),
    Case("wrapped twice", "archive/pets/{cat,dog}/{1..3}.png", "cat dog", "archive/pets"),
    Case("stray picture beside the wrapper", "logo.png pets/{cat,dog}/{1..3}.png", "cat dog",
         "pets", notes=["1 file is outside the class folders and was left out: logo.png"]),
    Case("vehicles called train", "{train,bus,car}/{1..3}.png", "bus car train", "train bus car"),
    Case("vehicles by year", "{bus,car}/{2019,2020}/{1..3}.png", "bus car", "bus car"),
    Case("bullet trains and crash tests", "{bullet_train,crash_test,car}/{1..3}.png",
         "bullet_train car crash_test", "bullet_train crash_test car"),
    Case("bullet trains by year", "{bullet_train,bus}/{2019,2020}/{1..3}.png",
         "bullet_train bus", "bullet_train bus"),
    Case("valid and invalid parts of a machine", "{valid,invalid}/{1..3}.png", "invalid valid",
         "valid invalid"),
    Case("Caltech-101",
         "caltech-101/101_ObjectCategories/{BACKGROUND_Google,Faces,accordion}/{1..3}.jpg "
         "caltech-101/Annotations/{Faces,accordion}/{1..3}.mat",
         "BACKGROUND_Google Faces accordion", "caltech-101/101_ObjectCategories"),
    Case("Caltech-256", "256_ObjectCategories/{001.ak47,257.clutter}/{1..3}.jpg",
         "001.ak47 257.clutter", "256_ObjectCategories"),
    Case("EuroSAT", "EuroSAT/2750/{AnnualCrop,Forest,River}/{1..3}.jpg",
         "AnnualCrop Forest River", "EuroSAT"),
    Case("UC Merced", "UCMerced_LandUse/Images/{agricultural,airplane}/{1..3}.png "
         "UCMerced_LandUse/readme.txt", "agricultural airplane", "UCMerced_LandUse/Images"),
    Case("Stanford dogs",
         "images/Images/{n02085620-Chihuahua,n02085782-Japanese_spaniel}/{1..3}.jpg "
         "annotations/Annotation/{n02085620-Chihuahua,n02085782-Japanese_spaniel}/n1",
         "n02085620-Chihuahua n02085782-Japanese_spaniel", "images/Images"),
    Case("Food-101", "food-101/images/{apple_pie,waffles}/{1..3}.jpg "
         "food-101/meta/{classes,train}.txt", "apple_pie waffles", "food-101/images"),
    Case("CUB-200 with segmentations",
         "CUB/images/{001.Albatross,002.Auklet}/{1..3}.jpg "
         "CUB/segmentations/{001.Albatross,002.Auklet}/{1..3}.png CUB/parts/parts.txt",
         "001.Albatross 002.Auklet", "CUB/images",
         notes=["CUB/segmentations/ with 6 images is not used: it holds annotations, by its name"]),
    Case("COVID-19 radiography",
         "COVID-19_Radiography_Dataset/{COVID,Normal}/{images,masks}/{1..3}.png "
         "COVID-19_Radiography_Dataset/README.md.txt", "COVID Normal",
         "COVID-19_Radiography_Dataset/COVID/images COVID-19_Radiography_Dataset/Normal/images"),
    Case("face masks", "data/{with_mask,without_mask}/{1..3}.jpg", "with_mask without_mask",
         "data"),
    Case("superclasses", "{animals,vehicles}/{a,b}/1.png animals/cat/1.png vehicles/car/1.png"
         .replace("{a,b}", "x1"), "animals vehicles", "animals vehicles"),
    Case("LFW", "lfw/{Aaron_Eckhart,Abba_Eban}/{1..2}.jpg", "Aaron_Eckhart Abba_Eban", "lfw"),
    # A set that holds itself.
    Case("flowers", "flowers/{daisy,rose,tulip}/{1..3}.jpg "
         "flowers/flowers/{daisy,rose,tulip}/{1..3}.jpg", "daisy rose tulip",
         "flowers/daisy flowers/rose flowers/tulip",
         notes=["flowers/flowers/ with 9 images is not used: the same images are beside it"]),
    Case("flowers that differ", "flowers/{daisy,rose}/{1..3}.jpg flowers/flowers/{daisy,rose}/"
         "{2..9}.jpg", refused=r"flowers/flowers/ has folders with the same names .*12 are only"),
    Case("malaria cells", "cell_images/{Parasitized,Uninfected}/{1..3}.png "
         "cell_images/cell_images/{Parasitized,Uninfected}/{1..3}.png cell_images/Thumbs.db",
         "Parasitized Uninfected", "cell_images/Parasitized cell_images/Uninfected"),
    Case("brain tumours", "{yes,no}/{1..3}.jpg brain_tumor_dataset/{yes,no}/{1..3}.jpg", "no yes",
         "yes no"),
    Case("natural images", "natural_images/{car,cat,dog}/{1..3}.jpg "
         "data/natural_images/{car,cat,dog}/{1..3}.jpg", "car cat dog",
         "data/natural_images"),
    Case("a set with parts in itself", "dataset/{train,test}/{a,b}/{1..2}.png "
         "dataset/dataset/{train,test}/{a,b}/{1..2}.png", "a b", "dataset/train", "dataset/test"),
    Case("train twice", "dataset/train/{a,b}/{1..2}.png dataset/dataset/train/{a,b}/{1..2}.png",
         "a b", "dataset/train"),
    Case("chest_xray",
         "chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/{1..3}.jpeg "
         "chest_xray/chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/{1..3}.jpeg",
         "NORMAL PNEUMONIA", "chest_xray/train", "chest_xray/test"),
    # Parts.
    Case("MNIST as PNG", "mnist_png/{training,testing}/{0..9}/{1..2}.png",
         "0 1 2 3 4 5 6 7 8 9", "mnist_png/training", "mnist_png/testing"),
    Case("CIFAR-10 as PNG", "cifar10/{train,test}/{airplane,truck}/{1..2}.png cifar10/labels.txt",
         "airplane truck", "cifar10/train", "cifar10/test"),
    Case("a test folder apart", "{train,test,predict}/{a,b}/{1..2}.png", "a b", "train", "test",
         notes=["predict/ with 4 images is not used: its images are unlabelled, by its name"]),
    Case("predict without classes", "{train,test}/{a,b}/{1..2}.png predict/{1..5}.png", "a b",
         "train", "test"),
    Case("Intel images",
         "seg_train/seg_train/{buildings,forest,sea}/{1..3}.jpg "
         "seg_test/seg_test/{buildings,forest,sea}/{1..2}.jpg seg_pred/seg_pred/{1..7}.jpg",
         "buildings forest sea", "seg_train", "seg_test",
         notes=["train: seg_train/seg_train/ (9 images); test: seg_test/seg_test/ (6 images)",
                "seg_pred/ with 7 images is not used: its images are unlabelled, by its name"]),
    Case("STL-like", "{train,test,unlabeled,extra}/{a,b}/{1..2}.png", "a b", "train", "test"),
    Case("IMDB-like", "aclImdb/train/{pos,neg,unsup}/{1..2}.png aclImdb/test/{pos,neg}/1.png",
         "neg pos unsup", "aclImdb/train", "aclImdb/test"),
    Case("SVHN-like", "{train,test,extra}/{0..2}/{1..2}.png", "0 1 2", "train", "test"),
    Case("cats and dogs, filtered",
         "cats_and_dogs_filtered/{train,validation}/{cats,dogs}/{1..3}.jpg "
         "cats_and_dogs_filtered/vectorize.py", "cats dogs", "cats_and_dogs_filtered/train",
         "cats_and_dogs_filtered/validation",
         notes=["train: cats_and_dogs_filtered/train/ (6 images); test: "
                "cats_and_dogs_filtered/validation/ (6 images) (there is no test folder)"]),
    Case("Cat and dog", "{training_set,test_set}/{training_set,test_set}/{cats,dogs}/1.jpg"
         .replace("{training_set,test_set}/{training_set,test_set}", "training_set/training_set")
         + " test_set/test_set/{cats,dogs}/{2..3}.jpg", "cats dogs", "training_set", "test_set"),
    Case("fruits-360", "fruits-360_dataset/fruits-360/{Training,Test}/{Apple~Braeburn,Kiwi}/"
         "{1..2}.jpg fruits-360_dataset/fruits-360/test-multiple_fruits/{1..3}.jpg "
         "fruits-360_dataset/fruits-360/papers/{1..2}.pdf", "Apple~Braeburn Kiwi",
         "fruits-360_dataset/fruits-360/Training", "fruits-360_dataset/fruits-360/Test"),
    Case("GTSRB", "Train/{0..3}/{1..2}.png Test/{00001..3}.png Meta/{0..3}.png Train.csv Test.csv"
         .replace("{00001..3}", "{1..3}"), "0 1 2 3", "Train",
         notes=["Test/ with 3 images is not used: no class folders",
                "Meta/ with 4 images is not used: it holds annotations, by its name"]),
    Case("GTSRB on Kaggle, twice", "{Train,train}/{0..3}/{1..2}.png {Test,test}/{1..3}.png "
         "{Meta,meta}/{0..3}.png", "0 1 2 3", "Train"),
    Case("train and Train that differ", "Train/{a,b}/1.png train/{a,b}/{2..3}.png",
         refused=r"Train/ and train/ hold different images for one part"),
    Case("horse or human", "horse-or-human/{train,validation}/{horses,humans}/{1..3}.png "
         "horse-or-human/horse-or-human/{train,validation}/{horses,humans}/{1..3}.png",
         "horses humans", "horse-or-human/train", "horse-or-human/validation"),
    Case("horse or human, the two archives unpacked",
         "horse-or-human/{horses,humans}/{1..3}.png "
         "validation-horse-or-human/{horses,humans}/{4..5}.png", "horses humans",
         "horse-or-human", "validation-horse-or-human"),
    Case("rock, paper, scissors", "rps/{paper,rock,scissors}/{1..3}.png "
         "rps-test-set/{paper,rock,scissors}/{4..5}.png rps-validation/{1..4}.png",
         "paper rock scissors", "rps", "rps-test-set"),
    Case("rock, paper, scissors on Kaggle",
         "Rock-Paper-Scissors/{train,test}/{paper,rock,scissors}/{1..3}.png "
         "Rock-Paper-Scissors/validation/paper{1..3}.png", "paper rock scissors",
         "Rock-Paper-Scissors/train", "Rock-Paper-Scissors/test"),
    Case("ASL alphabet", "asl_alphabet_train/asl_alphabet_train/{A,B,nothing}/{1..3}.jpg "
         "asl_alphabet_test/asl_alphabet_test/{A,B,nothing}_test.jpg", "A B nothing",
         "asl_alphabet_train",
         notes=["asl_alphabet_test/ with 3 images is not used: no class folders"]),
    Case("Tiny ImageNet", "tiny-imagenet-200/train/{n01443537,n01629819}/images/{1..3}.JPEG "
         "tiny-imagenet-200/train/{n01443537,n01629819}/boxes.txt "
         "tiny-imagenet-200/val/images/val_{0..3}.JPEG tiny-imagenet-200/val/val_annotations.txt "
         "tiny-imagenet-200/test/images/test_{0..3}.JPEG", "n01443537 n01629819",
         "tiny-imagenet-200/train",
         notes=["tiny-imagenet-200/val/ with 4 images is not used: no class folders"]),
    Case("Imagenette", "imagenette2/{train,val}/{n01440764,n02102040}/{1..3}.JPEG "
         "imagenette2/noisy_imagenette.csv", "n01440764 n02102040", "imagenette2/train",
         "imagenette2/val"),
    Case("Food-11", "{training,validation,evaluation}/{Bread,Egg}/{1..3}.jpg", "Bread Egg",
         "training", "evaluation"),
    Case("plant diseases", "New~Plant~(Augmented)/New~Plant~(Augmented)/{train,valid}/{a,b}/{1..3}"
         ".jpg new~plant~(augmented)/New~Plant~(Augmented)/{train,valid}/{a,b}/{1..3}.jpg "
         "test/test/{1..4}.jpg", "a b", "New~Plant~(Augmented)/New~Plant~(Augmented)/train",
         "New~Plant~(Augmented)/New~Plant~(Augmented)/valid"),
    Case("brain tumour MRI", "{Training,Testing}/{glioma,pituitary}/{1..3}.jpg",
         "glioma pituitary", "Training", "Testing"),
    Case("numbered parts", "{1_train,2_val,3_test}/{a,b}/{1..2}.png", "a b", "1_train", "3_test"),
    Case("parts in capitals", "{TRAIN_images,TEST_images}/{a,b}/{1..2}.png", "a b",
         "TRAIN_images", "TEST_images"),
    Case("parts behind", "{images_train,images_test}/{a,b}/{1..2}.png", "a b", "images_train",
         "images_test"),
    Case("images below the parts", "{train,test}/images/{a,b}/{1..2}.png", "a b", "train/images",
         "test/images"),
    Case("years behind", "{train2017,val2017}/{a,b}/{1..2}.png", "a b", "train2017", "val2017"),
    Case("a wrapper in a part alone", "train/{a,b}/{1..2}.png test/images/{a,b}/3.png", "a b",
         "train", "test"),
    Case("train/train", "a/b/c/train/train/{a,b}/{1..2}.png a/b/c/test/test/{a,b}/3.png", "a b",
         "a/b/c/train", "a/b/c/test"),
    Case("parts in Korean", "{학습,검증,테스트}/{개,고양이}/{1..2}.png", "개 고양이", "학습",
         "테스트"),
    Case("AI-Hub", "{Training,Validation}/01.원천데이터/{개,고양이}/{1..2}.jpg "
         "{Training,Validation}/02.라벨링데이터/{개,고양이}/{1..2}.json", "개 고양이", "Training",
         "Validation"),
    Case("PACS", "pacs/{photo,art_painting,cartoon,sketch}/{dog,horse,house}/{1..2}.png",
         refused="hold folders with the same names"),
    Case("BreakHis", "BreaKHis_v1/histology_slides/breast/benign/SOB/{adenosis,tumor}/40X/{1..2}"
         ".png BreaKHis_v1/histology_slides/breast/malignant/SOB/{ductal,lobular}/40X/{1..2}.png",
         "benign malignant", "BreaKHis_v1"),
    Case("parts below the classes", "{cat,dog}/train/{1..3}.png {cat,dog}/test/{4..5}.png",
         "cat dog", "cat/train dog/train", "cat/test dog/test"),
    Case("parts deeper below the classes", "{cat,dog}/images/{train,test}/{1..3}.png", "cat dog",
         "cat/images/train dog/images/train", "cat/images/test dog/images/test"),
    Case("parts below some classes", "cat/{train,test}/{1..3}.png dog/{1..3}.png",
         refused=r"cat/ holds folders for parts, but other folders beside it do not"),
    Case("trains among the classes of the parts", "{train,test}/{train,bus,test}/{1..3}.png",
         "bus test train", "train", "test"),
    Case("train alone", "data/train/{a,b}/{1..3}.png", "a b", "data/train"),
    Case("classes beside test", "{cat,dog}/{1..3}.png test/{cat,dog}/{4..5}.png", "cat dog",
         "cat dog", "test"),
    Case("augmented beside the parts", "{train,test,augmented}/{a,b}/{1..2}.png", "a b", "train",
         "test", notes=["augmented/ with 4 images is not used: its name is not that of a part"]),
    Case("a whole set and its parts", "{a,b}/{1..5}.png train/{a,b}/{1..3}.png "
         "test/{a,b}/{4..5}.png", "a b", "train", "test"),
    Case("a set beside its papers", "intel/{seg_train,seg_test}/{sea,street}/{1..3}.png "
         "papers/{1..3}.png", "sea street", "intel/seg_train", "intel/seg_test",
         notes=["papers/ with 3 images is not used: it is beside the folder with the parts"]),
    Case("affixed names alone", "{bullet_train,crash_test}/{1..3}.png", "bullet_train crash_test",
         "bullet_train crash_test"),
    Case("val is the test where test has no classes", "{train,valid}/{a,b}/{1..2}.png "
         "test/{1..3}.png", "a b", "train", "valid"),
    Case("test images and one class folder", "train/{a,b}/{1..2}.png test/{3..5}.png test/a/1.png",
         "a b", "train", "test/a",
         notes=["3 files are outside the class folders and were left out: test/3.png, test/4.png, "
                "test/5.png"]),
    Case("everything lies in test", "pets/test/{a,b}/{1..2}.png", "a b", "pets/test",
         notes=["all images are in test/, which is used for training as well"]),
    # What stays open.
    Case("NIH chest X-rays", "images_{1..3}/images/{1..4}.png Data_Entry.csv",
         refused="images_1/ and images_2/ are portions of a set by their names"),
    Case("parts in a part", "train/{train,val}/{a,b}/{1..2}.png test/{a,b}/{1..2}.png",
         refused="train/ itself holds parts"),
    Case("segmentation", "{train_images,train_labels,test_images}/{1..3}.png",
         refused="no class folders"),
    Case("PlantVillage", "plantvillage/{color,grayscale,segmented}/{Apple,Corn,Grape}/{1..3}.jpg",
         refused=r"color/, .*grayscale/, .*segmented/ hold folders with the same names \(Apple, "
         r"Corn.*Found: plantvillage/color/ \(9 images in 3 folders\)"),
    Case("Office-31", "{amazon,dslr,webcam}/images/{back_pack,bike,mug}/{1..3}.jpg",
         refused=r"amazon/, dslr/, webcam/ hold folders with the same names"),
    Case("folds", "fold{1..3}/{cat,dog}/{1..3}.png", refused="are portions of a set"),
    Case("variants in the parts", "{train,test}/{color,grey}/{cat,dog}/{1..3}.png",
         refused="train/color/, train/grey/ hold folders with the same names"),
    Case("Oxford pets", "images/{Abyssinian,beagle}_{1..3}.jpg annotations/trimaps/"
         "{Abyssinian,beagle}_{1..3}.png",
         refused=r"no class was found: images/ holds only images.*files \(Abyssinian, beagle\)"),
    Case("dogs vs cats", "dogs-vs-cats/train/train/{cat,dog}.{0..3}.jpg "
         "dogs-vs-cats/test1/test1/{1..5}.jpg dogs-vs-cats/sampleSubmission.csv",
         refused=r"no class folders.*Found: .*train/ \(8 images.*names of the files \(cat, dog\)"),
    Case("cassava", "train_images/{1..9}.jpg test_images/{1..3}.jpg train.csv",
         refused=r"no class folders.*Labels in a file \(train\.csv\) are not read"),
    Case("parts without classes", "{train,test}/{1..3}.png", refused="no class was found"),
    Case("flat parts and samples", "{train,test,sample}/{1..3}.png", refused="no class was found"),
    Case("val and test alone", "{val,test}/{a,b}/{1..3}.png", refused="no training folder"),
    Case("test among classes", "{cat,dog,test}/{1..3}.png",
         refused=r"test/ may be a part of the data set or a class"),
    Case("images to predict among classes", "{cat,dog,seg_pred}/{1..3}.png",
         refused="seg_pred/ may be a part of the data set or a class"),
    Case("training images among classes", "{cat,dog,training}/{1..3}.png",
         refused="training/ may be a part of the data set or a class"),
    Case("val and test, train packed", "{val,test}/{a,b}/{1..3}.png train.zip",
         refused=r"no training folder.*There are archives in it \(train\.zip\)"),
    Case("a folder of images among classes", "{cat,dog,images}/{1..3}.png",
         refused="images/ may be a part of the data set or a class"),
    Case("train by year among others", "{train,bus}/{2019,2020}/{1..3}.png",
         refused="train/ may be a part"),
    Case("train and samples", "{train,samples}/{cat,dog}/{1..3}.png", refused="train/ may be"),
    Case("two sets", "{birds,dogs}/{train,test}/{a,b}/{1..3}.png", refused="more than one data"),
    Case("MVTec", "{bottle,cable}/train/good/{1..3}.png {bottle,cable}/test/{good,broken}/1.png "
         "{bottle,cable}/ground_truth/broken/1_mask.png", refused="more than one data set"),
    Case("MVTec, one object", "bottle/train/good/{1..3}.png bottle/test/{good,broken}/1.png "
         "bottle/ground_truth/broken/1_mask.png", refused="only the class 'good' in bottle/train/"),
    Case("CycleGAN", "horse2zebra/{trainA,trainB,testA,testB}/{1..3}.jpg", refused="no class"),
    Case("archives in it", "{train,test}.zip sample.csv",
         refused=r"no class was found\. There are archives in it \(test\.zip, train\.zip\): unp"),
    Case("one class", "cat/{1..3}.png", refused="there is only the class 'cat'"),
    Case("nothing", "", refused="no class was found. Expected is one folder per class"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_public_layouts_are_read_as_a_person_would_or_refused(case):
    if case.refused:
        with pytest.raises(DataError, match=f"(?s)^x: .*({case.refused})"):
            laid_out(case.text)
        return
    layout = laid_out(case.text)
    assert layout.classes == tuple(name.replace("~", " ") for name in case.classes.split())
    for part, folders in (("train", case.train), ("test", case.test)):
        above = tuple(f"{folder.replace('~', ' ')}/" for folder in folders.split())
        expected = {
            e.path for e in files(case.text) if e.path.startswith(above or ("?",)) and _image(e)
        }
        pairs = getattr(layout, part)
        assert {entry.path for entry, _ in pairs} == expected, (part, layout.notes)
        for entry, label in pairs:
            assert layout.classes[label] in entry.path.split("/")
    for note in case.notes:
        assert note in layout.notes


def _image(entry: Entry) -> bool:
    return entry.path.lower().endswith((".png", ".jpg", ".jpeg"))


NAMES = st.sampled_from(
    ["train", "test", "val", "Train", "seg_test", "images", "masks", "cat", "Cat", "dog", "2019",
     "predict", "ca\u0301t", "c\u00e1t", "Annotation", "x"]
)  # fmt: skip
PATHS = st.lists(
    st.tuples(st.lists(NAMES, max_size=4), st.sampled_from(["1.png", "2.png", "a.txt"])),
    max_size=14,
)


@given(PATHS)
def test_whatever_the_layout_every_file_is_used_or_counted_with_a_reason(drawn):
    paths = sorted({"/".join([*folders, name]) for folders, name in drawn})
    entries = [Entry(path, _size(path), 0) for path in paths]
    try:
        layout = arrange(Listing(entries), "x", skip_empty=True)
    except DataError:
        return
    used = [entry.path for entry, _ in (*layout.train, *layout.test)]
    assert len(set(used)) == len(used), "an image belongs to two parts"
    counted = 0
    for note in layout.notes:
        match = re.match(r"(\d+) files? (is not an|are not|is outside|are outside)", note)
        match = match or re.search(r"with (\d+) images? is not used", note)
        counted += int(match[1]) if match else 0
    assert len(used) + counted == len(paths), layout.notes
    assert len(layout.classes) > 1
    assert {label for _, label in layout.train} == set(range(len(layout.classes)))


PETS = "{cat,cow,dog}/{1..3}.png"


@pytest.mark.parametrize(
    ("text", "folders", "named"),
    [
        ("{cat,dog}/{1..3}.png", ["cow"], "a class folder holds no images: cow/. Add images"),
        ("{cat,dog}/{1..3}.png cow/{a.txt,Thumbs.db}", [], r"cow/ \(only Thumbs\.db, a\.txt\)"),
        ("{cat,dog}/{1..3}.png cow/clip.avi", [], r"no images: cow/ \(only clip\.avi\)"),
        ("{cat,dog}/{1..3}.png", ["cow/2019/may"], "no images: cow/"),
        ("train/{cat,dog}/{1..3}.png test/{cat,cow,dog}/4.png", ["train/cow"],
         "images: train/cow/"),
        ("train/{cat,cow,dog}/{1..3}.png test/{cat,dog}/4.png", ["test/cow"], "images: test/cow/"),
        ("train/{cat,dog}/{1..3}.png test/{cat,dog}/4.png", ["train/cow", "test/cow"],
         "2 class folders hold no images: train/cow/, test/cow/"),
        ("{cat,dog}/train/{1..3}.png {cat,dog}/test/4.png", ["cow/train", "cow/test"], "cow/"),
        ("{cat,dog}/train/{1..3}.png cat/test/4.png", ["dog/test"], "images: dog/test/"),
        ("pets/{cat,dog}/{1..3}.png", ["pets/cow"], "no images: pets/cow/"),
    ],
)  # fmt: skip
def test_a_class_folder_without_images_is_refused_by_its_name_or_left_out(text, folders, named):
    with pytest.raises(DataError, match=named):
        laid_out(text, *folders)
    layout = laid_out(text, *folders, skip_empty=True)
    assert {"cat", "dog"} <= set(layout.classes)
    assert any("no images and w" in note for note in layout.notes)
    assert [label for _, label in layout.train] == sorted(label for _, label in layout.train)


def test_one_full_class_beside_an_empty_one_is_no_wrapper():
    with pytest.raises(DataError, match=r"a class folder holds no images: dog/"):
        laid_out("cat/{2019,2020}/{1..3}.png", "dog")
    with pytest.raises(DataError, match=r"a class folder holds no images: dog/ \(only x\.txt\)"):
        laid_out("cat/{2019,2020}/{1..3}.png dog/x.txt")
    for text in ("cat/{1..3}.png", "cat/{2019,2020}/{1..3}.png"):
        with pytest.raises(DataError, match="there is only the class 'cat'"):
            laid_out(text, "dog", skip_empty=True)
    layout = laid_out("pets/{cat,dog}/{1..3}.png", "drafts", skip_empty=True)
    assert layout.classes == ("cat", "dog")
    assert layout.notes == ["drafts/ holds no images"]


def test_images_to_test_a_class_that_is_empty_in_training_are_left_out_with_it():
    text = "train/{cat,dog}/{1..3}.png test/{cat,cow,dog}/4.png"
    layout = laid_out(text, "train/cow", skip_empty=True)
    assert layout.classes == ("cat", "dog")
    assert len(layout.test) == 2
    assert "test/cow/ with 1 image is not used: its class has no training images" in (layout.notes)


def test_empty_folders_for_parts_are_no_classes():
    for text in ("train/{a,b}/{1..3}.png", "{a,b}/{1..3}.png"):
        layout = laid_out(text, "test")
        assert layout.classes == ("a", "b")
        assert "test/ holds no images" in layout.notes
    for text in ("test/{a,b}/{1..3}.png", "{test,val}/{a,b}/{1..3}.png"):
        with pytest.raises(DataError, match="train/ holds no images"):
            laid_out(text, "train")


def test_classes_that_cannot_be_tested_are_told():
    layout = laid_out("train/{a,b,c}/{1..3}.png test/{a,b}/4.png")
    assert layout.notes == ["there are no test images of the class 'c'"]
    layout = laid_out("{a,b}/{1..3}.png c/1.png")
    assert layout.notes == ["there is only one image, which is not held out, of the class 'c'"]


KOREAN = "고양이"
MAC = unicodedata.normalize("NFD", KOREAN)  # as a Mac decomposes it


def test_names_that_look_the_same_are_one_class():
    layout = laid_out(f"train/{{{KOREAN},개}}/{{1..2}}.png test/{{{MAC},개}}/3.png")
    assert layout.classes == ("개", KOREAN)
    labels = {entry.path: label for entry, label in layout.test}
    assert labels == {"test/개/3.png": 0, f"test/{MAC}/3.png": 1}
    layout = laid_out(f"{KOREAN}/1.png {MAC}/2.png 개/{{1..2}}.png 개~/3.png")
    assert layout.classes == ("개", KOREAN)
    assert sorted(label for _, label in layout.train) == [0, 0, 0, 1, 1]
    assert any(note.startswith("folders whose names look the same") for note in layout.notes)


def test_classes_that_differ_in_case_or_width_are_matched_where_that_is_clear():
    layout = laid_out("train/{Cat,Dog}/{1..2}.png test/{cat,ＤＯＧ}/3.png")
    assert (layout.classes, [label for _, label in layout.test]) == (("Cat", "Dog"), [0, 1])
    assert len([note for note in layout.notes if "is taken for the class" in note]) == 2
    letters = laid_out("{train,test}/{a,A,b}/{1..2}.png")
    assert letters.classes == ("A", "a", "b")
    assert "2 classes: 'A', 'a' differ only in case, width or spaces" in letters.notes
    with pytest.raises(DataError, match=r"the class 'ａ' is in test/, but not in train/.*Known: A"):
        laid_out("train/{a,A,b}/{1..2}.png test/{ａ,b}/{1..2}.png")


def test_a_validation_folder_beside_a_test_folder_is_kept_for_later():
    layout = laid_out("train/{a,b}/{1..3}.png val/{a,b}/{4..5}.png test/{a,b}/6.png")
    assert [(entry.path, label) for entry, label in layout.validation] == [
        ("val/a/4.png", 0), ("val/a/5.png", 0), ("val/b/4.png", 1), ("val/b/5.png", 1)
    ]  # fmt: skip
    assert layout.notes == ["val/ with 4 images is not used: there is a test folder"]


def test_copies_by_jupyter_are_left_out_where_the_image_lies_beside_them():
    layout = laid_out("{a,b}/{1..2}.png a/1-checkpoint.png b/own-checkpoint.png")
    assert [entry.path for entry, _ in layout.train][2:] == [
        "b/1.png", "b/2.png", "b/own-checkpoint.png"
    ]  # fmt: skip
    assert layout.notes == ["1 file is a copy by Jupyter and was left out: a/1-checkpoint.png"]


def test_names_cannot_write_to_a_terminal():
    layout = laid_out("train/{a,b}/{1..2}.png test/{a,b}/3.png x\x1b[2J/4.png")
    assert layout.notes == ["x\\x1b[2J/ with 1 image is not used: its name is not that of a part"]
    with pytest.raises(DataError, match=r"only the class 'a\\x1b\[2J'"):
        laid_out("a\x1b[2J/{1..2}.png")


def test_a_hint_is_given_once():
    with pytest.raises(DataError) as caught:
        laid_out("{train,test}.zip")
    assert str(caught.value).count("archives") == 1
